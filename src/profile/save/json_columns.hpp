// Writes structs as JSON objects and reads them, without loss, for files that only enprof reads.
// The fields are the columns that the store has for them (row_columns.hpp). JSON for users is made
// in src/report.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/json_node.hpp"
#include "model/run_fields.hpp"
#include "profile/save/step_format.hpp"

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace enprof {

using StepJson = nlohmann::json;

/// A text of any bytes: a JSON string if it is valid UTF-8, else {"bytes": "hexadecimal"}.
[[nodiscard]] StepJson bytes_to_json(std::string_view text);
/// Throws JsonError.
[[nodiscard]] std::string bytes_from_json(const JsonNode& node);

/// The enumerator with this number. Throws std::invalid_argument if no enumerator has it.
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

/// Writes the fields of one record.
class JsonWriter : public FieldKinds<JsonWriter> {
 public:
  template <class Member>
  void operator()(FieldName name, const Member& value) {
    object_[kUnitsInDatabase.add_to<Member>(name.in_database)] = json_of(value);
  }
  template <class Value>
  void list(FieldName name, const std::vector<Value>& values) {
    StepJson& list = object_[name.in_database] = StepJson::array();
    for (const Value& value : values) {
      list.push_back(json_of(value));
    }
  }
  template <class Row>
  void rows(FieldName name, const std::vector<Row>& rows, const auto& fields);
  void nested(FieldName name, const auto& row, const auto& fields);

  [[nodiscard]] StepJson take() { return std::move(object_); }

 private:
  [[nodiscard]] static StepJson json_of(double value) { return value; }
  [[nodiscard]] static StepJson json_of(float value) { return value; }
  [[nodiscard]] static StepJson json_of(std::integral auto value) { return value; }
  [[nodiscard]] static StepJson json_of(const std::string& value) { return bytes_to_json(value); }
  template <class Enum>
    requires std::is_enum_v<Enum>
  [[nodiscard]] static StepJson json_of(Enum value) {
    return static_cast<int>(value);
  }
  template <class Dimension>
  [[nodiscard]] static StepJson json_of(Quantity<Dimension> value) {
    return value.value();
  }
  [[nodiscard]] static StepJson json_of(Nanoseconds value) { return value.count(); }
  [[nodiscard]] static StepJson json_of(WallTime value) { return value.time_since_epoch().count(); }
  template <class Value>
  [[nodiscard]] static StepJson json_of(const std::optional<Value>& value) {
    return value ? json_of(*value) : StepJson(nullptr);
  }

  StepJson object_ = StepJson::object();
};

/// A record as JSON.
[[nodiscard]] StepJson object_of(const auto& row, const auto& fields) {
  JsonWriter writer;
  fields(writer, row);
  return writer.take();
}
template <class Row>
[[nodiscard]] StepJson list_to_json(const std::vector<Row>& rows, const auto& fields) {
  StepJson list = StepJson::array();
  for (const Row& row : rows) {
    list.push_back(object_of(row, fields));
  }
  return list;
}

template <class Row>
void JsonWriter::rows(FieldName name, const std::vector<Row>& rows, const auto& fields) {
  object_[name.in_database] = list_to_json(rows, fields);
}
void JsonWriter::nested(FieldName name, const auto& row, const auto& fields) {
  object_[name.in_database] = object_of(row, fields);
}

/// Reads the fields of one record again, as the version of the format has them (step_format.hpp): a
/// field that may be missing there keeps the value that its member has. Every function throws
/// JsonError, or std::invalid_argument.
class JsonReader : public FieldKinds<JsonReader> {
 public:
  /// `list` names the fields in ColumnChange::list.
  JsonReader(JsonNode record, std::string list, StepFormat format)
      : record_(record), list_(std::move(list)), format_(format) {}

  template <class Member>
  void operator()(FieldName name, Member& value) {
    const std::string key = key_of<Member>(name);
    // Version 1 left out what was absent.
    if (const JsonNode node = record_.at(key); node.is_there()) {
      get(node, value);
    } else if (!may_be_missing(name_now<Member>(name))) {
      node.is_not("there");
    }
  }
  template <class Value>
  void list(FieldName name, std::vector<Value>& values) {
    const std::string key = key_of<void>(name);
    values = needed_list(key).list([](const JsonNode& node) {
      Value value{};
      get(node, value);
      return value;
    });
  }
  template <class Row>
  void rows(FieldName name, std::vector<Row>& rows, const auto& fields) {
    const std::string key = key_of<void>(name);
    rows.clear();
    const JsonNode list = needed_list(key);
    for (std::size_t index = 0; index < list.size(); ++index) {
      JsonReader reader(list[index], list_ + "." + key, format_);
      fields(reader, rows.emplace_back());
    }
  }
  void nested(FieldName name, auto& row, const auto& fields) {
    const std::string key = key_of<void>(name);
    JsonReader reader(record_.at(key), list_ + "." + key, format_);
    fields(reader, row);
  }

 private:
  template <class Member>
  [[nodiscard]] static std::string name_now(FieldName name) {
    return kUnitsInDatabase.add_to<Member>(name.in_database);
  }
  /// The name in that version.
  template <class Member>
  [[nodiscard]] std::string key_of(FieldName name) const {
    return name_then(name_now<Member>(name));
  }
  [[nodiscard]] std::string name_then(std::string name) const;
  [[nodiscard]] bool may_be_missing(std::string_view name) const;
  /// `key` outlives what is returned.
  [[nodiscard]] JsonNode needed_list(std::string_view key) const {
    const JsonNode node = record_.at(key);
    if (node.absent()) {
      node.is_not("a list");
    }
    return node;
  }

  static void get(const JsonNode& node, double& value) {
    value = node.absent() ? std::numeric_limits<double>::quiet_NaN() : node.number();
  }
  static void get(const JsonNode& node, float& value) {
    double number = 0.0;
    get(node, number);
    value = static_cast<float>(number);
  }
  static void get(const JsonNode& node, std::string& value) { value = bytes_from_json(node); }
  template <std::integral Number>
  static void get(const JsonNode& node, Number& value) {
    value = node.whole<Number>();
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  static void get(const JsonNode& node, Enum& value) {
    value = static_cast<Enum>(node.whole<std::uint8_t>());
    if (to_string(value) == "unknown") {
      node.is_not("the number of a name that is known");
    }
  }
  template <class Dimension>
  static void get(const JsonNode& node, Quantity<Dimension>& value) {
    double number = 0.0;
    get(node, number);
    value = Quantity<Dimension>{number};
  }
  static void get(const JsonNode& node, Nanoseconds& value) {
    value = Nanoseconds{node.whole<std::int64_t>()};
  }
  static void get(const JsonNode& node, WallTime& value) {
    value = WallTime{WallTime::duration{node.whole<std::int64_t>()}};
  }
  template <class Value>
  static void get(const JsonNode& node, std::optional<Value>& value) {
    value.reset();
    if (!node.absent()) {
      get(node, value.emplace());
    }
  }

  JsonNode record_;
  std::string list_;
  StepFormat format_;
};

/// Writes a list of structs as a list of JSON objects; `columns` lists their fields.
template <class Row>
[[nodiscard]] std::vector<Row> list_from_json(const JsonNode& list, const std::string& name,
                                              StepFormat format, const auto& fields) {
  return list.list([&](const JsonNode& record) {
    Row row;
    JsonReader reader(record, name, format);
    fields(reader, row);
    return row;
  });
}

}  // namespace enprof
