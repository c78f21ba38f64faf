// Structs as JSON objects, by the lists of columns that the store has for them (row_columns.hpp):
// exact, for files that enprof alone reads. What people read is made in src/report.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/utf8.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace enprof {

using StepJson = nlohmann::json;

/// A text of any bytes: as it is where it is UTF-8, else as {"bytes": "hexadecimal"}.
[[nodiscard]] StepJson bytes_to_json(std::string_view text);
/// Throws std::invalid_argument or nlohmann::json::exception.
[[nodiscard]] std::string bytes_from_json(const StepJson& json);

/// An enumeration by its number. Throws std::invalid_argument for a number that has no name.
template <class Enum>
  requires std::is_enum_v<Enum>
[[nodiscard]] Enum enum_from_number(std::int64_t number) {
  if (number >= 0 && number <= std::numeric_limits<std::uint8_t>::max()) {
    if (const auto value = static_cast<Enum>(number); to_string(value) != "unknown") {
      return value;
    }
  }
  throw std::invalid_argument("a value of a list of names is not in the list");
}

/// Puts the columns of a struct into an object.
class JsonWriter {
 public:
  void operator()(std::string_view name, double value) { put(name, value); }
  void operator()(std::string_view name, const std::string& text) {
    put(name, bytes_to_json(text));
  }
  void operator()(std::string_view name, std::integral auto value) { put(name, value); }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(std::string_view name, Enum value) {
    put(name, static_cast<int>(value));
  }
  template <class Dimension>
  void operator()(std::string_view name, Quantity<Dimension> value) {
    put(name, value.value());
  }
  void operator()(std::string_view name, Nanoseconds value) { put(name, value.count()); }
  void operator()(std::string_view name, WallTime value) {
    put(name, value.time_since_epoch().count());
  }
  template <class T>
  void operator()(std::string_view name, const std::optional<T>& value) {
    if (value) {
      (*this)(name, *value);
    }
  }
  void text_or_null(std::string_view name, const std::string& text) { (*this)(name, text); }
  void number_or_null(std::string_view name, double value) { (*this)(name, value); }
  void index_or_null(std::string_view name, std::int32_t value) { (*this)(name, value); }
  void coded(std::string_view name, const auto& value) { (*this)(name, value); }

  [[nodiscard]] StepJson take() { return std::move(object_); }

 private:
  void put(std::string_view name, StepJson value) { object_[std::string{name}] = std::move(value); }

  StepJson object_ = StepJson::object();
};

/// Takes them out again. What is missing keeps its default. Throws std::invalid_argument or
/// nlohmann::json::exception.
class JsonReader {
 public:
  explicit JsonReader(const StepJson& object) : object_(object) {}

  void operator()(std::string_view name, double& value) {
    if (const StepJson* found = find(name)) {
      // nlohmann writes what is no number as null.
      value = found->is_null() ? std::numeric_limits<double>::quiet_NaN() : found->get<double>();
    }
  }
  void operator()(std::string_view name, std::string& text) {
    if (const StepJson* found = find(name)) {
      text = bytes_from_json(*found);
    }
  }
  void operator()(std::string_view name, std::integral auto& value) {
    if (const StepJson* found = find(name)) {
      value = number<std::remove_reference_t<decltype(value)>>(*found);
    }
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  void operator()(std::string_view name, Enum& value) {
    if (const StepJson* found = find(name)) {
      value = enum_from_number<Enum>(number<std::int64_t>(*found));
    }
  }
  template <class Dimension>
  void operator()(std::string_view name, Quantity<Dimension>& value) {
    double number = value.value();
    (*this)(name, number);
    value = Quantity<Dimension>{number};
  }
  void operator()(std::string_view name, Nanoseconds& value) {
    if (const StepJson* found = find(name)) {
      value = Nanoseconds{number<std::int64_t>(*found)};
    }
  }
  void operator()(std::string_view name, WallTime& value) {
    if (const StepJson* found = find(name)) {
      value = WallTime{WallTime::duration{number<std::int64_t>(*found)}};
    }
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& value) {
    if (find(name) != nullptr) {
      (*this)(name, value.emplace());
    }
  }
  void text_or_null(std::string_view name, std::string& text) { (*this)(name, text); }
  void number_or_null(std::string_view name, double& value) { (*this)(name, value); }
  void index_or_null(std::string_view name, std::int32_t& value) { (*this)(name, value); }
  void coded(std::string_view name, auto& value) { (*this)(name, value); }

  /// A whole number that fits. Throws std::invalid_argument.
  template <std::integral Number>
  [[nodiscard]] static Number number(const StepJson& json) {
    if (json.is_number_unsigned()) {
      if (const auto value = json.get<std::uint64_t>(); std::in_range<Number>(value)) {
        return static_cast<Number>(value);
      }
    } else if (json.is_number_integer()) {
      if (const auto value = json.get<std::int64_t>(); std::in_range<Number>(value)) {
        return static_cast<Number>(value);
      }
    }
    throw std::invalid_argument("a whole number is none, or is too large");
  }

 private:
  [[nodiscard]] const StepJson* find(std::string_view name) const {
    const auto found = object_.find(std::string{name});
    return found == object_.end() ? nullptr : &*found;
  }

  const StepJson& object_;
};

/// A list of structs, each with the same columns.
template <class Row>
[[nodiscard]] StepJson list_to_json(const std::vector<Row>& rows, const auto& columns) {
  StepJson list = StepJson::array();
  for (const Row& row : rows) {
    JsonWriter writer;
    columns(writer, row);
    list.push_back(writer.take());
  }
  return list;
}
template <class Row>
[[nodiscard]] std::vector<Row> list_from_json(const StepJson& list, const auto& columns) {
  std::vector<Row> rows;
  for (const StepJson& object : list) {
    if (!object.is_object()) {
      throw std::invalid_argument("an entry of a list is no object");
    }
    JsonReader reader(object);
    columns(reader, rows.emplace_back());
  }
  return rows;
}

}  // namespace enprof
