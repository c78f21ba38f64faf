// The fields of a run's records (model/run_fields.hpp) as members of JSON, and back.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/json_node.hpp"
#include "model/enum_from_json.hpp"
#include "model/run_fields.hpp"
#include "report/format.hpp"
#include "report/json_figures.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace enprof {

/// Writes the fields of one record.
class JsonFields : public FieldKinds<JsonFields> {
 public:
  /// `power` names the domains that the record speaks of. It outlives this.
  explicit JsonFields(const PowerFigures* power = nullptr) : power_(power) {}

  template <class Member>
  void operator()(FieldName name, const Member& value) {
    object_[key<Member>(name)] = json_of(value);
  }
  void text(FieldName name, const std::string& value) {
    object_[key<std::string>(name)] = enprof::text(value);
  }
  void index(FieldName name, std::int32_t value) {
    object_[key<std::int32_t>(name)] = value < 0 ? Json(nullptr) : Json(value);
  }
  void domain(FieldName name, std::size_t index) {
    object_[key<std::string>(name)] = power_->domains[index].domain.name;
  }
  void domain(FieldName name, const std::optional<std::size_t>& index) {
    object_[key<std::string>(name)] =
        index ? Json(power_->domains[*index].domain.name) : Json(nullptr);
  }
  void internal(FieldName, const auto&) {}
  template <class Make>
  void derived(FieldName name, const Make& make) {
    using Value = decltype(make());
    if constexpr (std::is_same_v<Value, std::string>) {
      text(name, make());
    } else {
      (*this)(name, make());
    }
  }
  void costs(const OperationFigure& operation);
  void shape(const std::array<std::int64_t, 4>& dimensions) { object_["shape"] = dimensions; }
  template <class Value>
  void list(FieldName name, const std::vector<Value>& values) {
    object_[key<std::string>(name)] = values;
  }
  template <class Row>
  void rows(FieldName name, const std::vector<Row>& rows, const auto& fields) {
    Json& list = object_[key<std::string>(name)] = Json::array();
    for (const Row& row : rows) {
      list.push_back(object_of(row, fields));
    }
  }
  void by_domain(FieldName name, const std::vector<std::optional<Watts>>& values);
  void nested(FieldName name, const auto& row, const auto& fields) {
    object_[key<std::string>(name)] = object_of(row, fields);
  }
  template <class Row>
  void group(FieldName name, const std::optional<Row>& row, const auto& fields) {
    object_[key<std::string>(name)] = row ? object_of(*row, fields) : Json(nullptr);
  }

  [[nodiscard]] Json take() { return std::move(object_); }

 private:
  template <class Member>
  [[nodiscard]] static std::string key(FieldName name) {
    return kUnitsForPeople.add_to<Member>(name.in_json);
  }
  [[nodiscard]] Json object_of(const auto& row, const auto& fields) const {
    JsonFields writer(power_);
    fields(writer, row);
    return writer.take();
  }

  [[nodiscard]] static Json json_of(double value) { return value; }
  [[nodiscard]] static Json json_of(std::integral auto value) { return value; }
  [[nodiscard]] static Json json_of(const std::string& value) { return value; }
  template <class Enum>
    requires std::is_enum_v<Enum>
  [[nodiscard]] static Json json_of(Enum value) {
    return to_string(value);
  }
  [[nodiscard]] static Json json_of(Joules value) { return to_mj(value); }
  [[nodiscard]] static Json json_of(Watts value) { return to_mw(value); }
  [[nodiscard]] static Json json_of(Nanoseconds value) { return to_ms(value); }
  [[nodiscard]] static Json json_of(WallTime value) { return utc_text(value); }
  template <class Value>
  [[nodiscard]] static Json json_of(const std::optional<Value>& value) {
    return value ? json_of(*value) : Json(nullptr);
  }

  const PowerFigures* power_;
  Json object_ = Json::object();
};

/// A record as JSON.
[[nodiscard]] Json json_of_fields(const auto& row, const auto& fields,
                                  const PowerFigures* power = nullptr) {
  JsonFields writer(power);
  fields(writer, row);
  return writer.take();
}

/// Reads the fields of one record again, and trusts nothing in them. Every function throws
/// JsonError.
class JsonFieldReader : public FieldKinds<JsonFieldReader> {
 public:
  using Domains = std::vector<DomainFigure>;

  /// `domains` are those that the record may name. They outlive this.
  explicit JsonFieldReader(JsonNode record, const Domains* domains = nullptr)
      : record_(record), domains_(domains) {}
  /// Of a list, whose entries are the fields in their order.
  static JsonFieldReader of_list(JsonNode record) {
    JsonFieldReader reader(record);
    reader.next_ = 0;
    return reader;
  }

  template <class Member>
  void operator()(FieldName name, Member& value) {
    read<Member>(name, [&](const JsonNode& node) { get(node, value); });
  }
  void text(FieldName name, std::string& value) {
    read<std::string>(
        name, [&](const JsonNode& node) { value = node.absent() ? std::string{} : node.text(); });
  }
  void number(FieldName name, double& value) {
    read<double>(name, [&](const JsonNode& node) { value = number_or_nan(node); });
  }
  void index(FieldName name, std::int32_t& value) {
    read<std::int32_t>(name, [&](const JsonNode& node) {
      value = node.absent() ? -1 : node.whole<std::int32_t>(0);
    });
  }
  void share(FieldName name, double& value);
  template <class Time>
  void length(FieldName name, Time& value) {
    read<Time>(name, [&](const JsonNode& node) { get_length(node, value); });
  }
  /// The domain with that name.
  void domain(FieldName name, std::size_t& value) {
    read<std::size_t>(name,
                      [&](const JsonNode& node) { value = index_of_domain(node, *domains_); });
  }
  /// Among the domains themselves it is looked up when all of them are known.
  void domain(FieldName, std::optional<std::size_t>&) {}
  template <class Member>
  void later(FieldName name, Member& value) {
    read<Member>(name, [&](const JsonNode& node) {
      if (!node.absent()) {
        get(node, value);
      }
    });
  }
  void internal(FieldName, auto&) {}
  void shape(std::array<std::int64_t, 4>& dimensions);
  template <class Value>
  void list(FieldName name, std::vector<Value>& values) {
    read<void>(name, [&](const JsonNode& node) { get_list(node, values); });
  }
  template <class Row>
  void rows(FieldName name, std::vector<Row>& rows, const auto& fields) {
    read<void>(name, [&](const JsonNode& node) {
      for (std::size_t index = 0; index < node.size(); ++index) {
        JsonFieldReader reader(node[index], domains_);
        fields(reader, rows.emplace_back());
      }
    });
  }
  template <class Row>
  void later_rows(FieldName name, std::vector<Row>& rows, const auto& fields) {
    if (record_.at(name.in_json).is_there()) {
      this->rows(name, rows, fields);
    }
  }
  void by_domain(FieldName name, std::vector<std::optional<Watts>>& values);
  void nested(FieldName name, auto& row, const auto& fields) {
    read<void>(name, [&](const JsonNode& node) {
      JsonFieldReader reader(node, domains_);
      fields(reader, row);
    });
  }
  template <class Row>
  void group(FieldName name, std::optional<Row>& row, const auto& fields) {
    read<void>(name, [&](const JsonNode& node) {
      if (!node.absent()) {
        JsonFieldReader reader(node, domains_);
        fields(reader, row.emplace());
      }
    });
  }

  [[nodiscard]] static std::size_t index_of_domain(const JsonNode& name, const Domains& domains);

 private:
  /// Calls `get` with the member; Unit is the type that has the unit in its name.
  template <class Unit, class Get>
  void read(FieldName name, Get get) {
    if (next_) {
      get(record_[(*next_)++]);
      return;
    }
    const std::string key = kUnitsForPeople.add_to<Unit>(name.in_json);
    get(record_.at(key));
  }

  static void get(const JsonNode& node, double& value) { value = node.number(); }
  static void get(const JsonNode& node, std::string& value) { value = node.text(); }
  template <std::integral Number>
  static void get(const JsonNode& node, Number& value) {
    // Beyond, a number is not the same in every program that reads JSON.
    constexpr auto kMost = std::uint64_t{1} << 53U;
    if constexpr (std::is_unsigned_v<Number> && sizeof(Number) == sizeof(kMost)) {
      value = node.whole<Number>(0, kMost);
    } else {
      value = node.whole<Number>();
    }
  }
  template <class Enum>
    requires std::is_enum_v<Enum>
  static void get(const JsonNode& node, Enum& value) {
    value = enum_from_json<Enum>(node);
  }
  static void get(const JsonNode& node, Joules& value);
  static void get(const JsonNode& node, Watts& value);
  static void get(const JsonNode& node, Nanoseconds& value);
  static void get(const JsonNode& node, WallTime& value);
  template <class Value>
  static void get(const JsonNode& node, std::optional<Value>& value) {
    value.reset();
    if (!node.absent()) {
      get(node, value.emplace());
    }
  }
  static void get_length(const JsonNode& node, Nanoseconds& value);
  static void get_length(const JsonNode& node, std::optional<Nanoseconds>& value) {
    value.reset();
    if (!node.absent()) {
      get_length(node, value.emplace());
    }
  }
  template <class Value>
  static void get_list(const JsonNode& node, std::vector<Value>& values) {
    values = node.list([](const JsonNode& entry) {
      if constexpr (std::is_floating_point_v<Value>) {
        return static_cast<Value>(number_or_nan(entry));
      } else {
        Value value{};
        get(entry, value);
        return value;
      }
    });
  }
  /// What is no number (NaN) is written as null.
  static double number_or_nan(const JsonNode& node) {
    return node.absent() ? std::numeric_limits<double>::quiet_NaN() : node.number();
  }

  JsonNode record_;
  const Domains* domains_;
  std::optional<std::size_t> next_;  // of a list
};

/// A record from JSON. Throws JsonError.
template <class Row>
[[nodiscard]] Row read_fields(const JsonNode& record, const auto& fields,
                              const JsonFieldReader::Domains* domains = nullptr) {
  Row row;
  JsonFieldReader reader(record, domains);
  fields(reader, row);
  return row;
}

}  // namespace enprof
