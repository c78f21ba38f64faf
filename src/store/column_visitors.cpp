#include "store/column_visitors.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <climits>

namespace enprof {
namespace {

std::optional<DomainKind> domain_kind_from_string(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(DomainKind::other); ++value) {
    const auto kind = static_cast<DomainKind>(value);
    if (to_string(kind) == name) {
      return kind;
    }
  }
  return std::nullopt;
}

std::optional<DomainScope> scope_from_string(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(DomainScope::unclear); ++value) {
    const auto scope = static_cast<DomainScope>(value);
    if (to_string(scope) == name) {
      return scope;
    }
  }
  return std::nullopt;
}

std::optional<SensorQuantity> quantity_from_string(std::string_view name) {
  for (int value = 0; value <= static_cast<int>(SensorQuantity::thermal_pressure); ++value) {
    const auto quantity = static_cast<SensorQuantity>(value);
    if (to_string(quantity) == name) {
      return quantity;
    }
  }
  return std::nullopt;
}

template <class Enum>
std::optional<Enum> parse(std::string_view name) {
  if constexpr (std::is_same_v<Enum, Phase>) {
    return phase_from_string(name);
  } else if constexpr (std::is_same_v<Enum, Depth>) {
    return depth_from_string(name);
  } else if constexpr (std::is_same_v<Enum, Method>) {
    return method_from_string(name);
  } else if constexpr (std::is_same_v<Enum, RunStatus>) {
    return run_status_from_string(name);
  } else if constexpr (std::is_same_v<Enum, SensorQuantity>) {
    return quantity_from_string(name);
  } else if constexpr (std::is_same_v<Enum, DomainScope>) {
    return scope_from_string(name);
  } else {
    static_assert(std::is_same_v<Enum, DomainKind>);
    return domain_kind_from_string(name);
  }
}

}  // namespace

void ColumnBinder::operator()(std::string_view, const std::string& text) {
  // SQLite counts in int, and would read a negative length as "up to the first NUL".
  if (text.size() > INT_MAX) {
    throw SQLite::Exception("string or blob too big", SQLITE_TOOBIG);
  }
  statement_.bindNoCopy(next_++, text);
}

template <class Enum>
Enum ColumnReader::from_name(std::string_view column, const std::string& name) {
  if (const std::optional<Enum> value = parse<Enum>(name)) {
    return *value;
  }
  throw SQLite::Exception(fmt::format("the column {} holds '{}'", column, name), SQLITE_CORRUPT);
}

template Phase ColumnReader::from_name(std::string_view, const std::string&);
template Depth ColumnReader::from_name(std::string_view, const std::string&);
template Method ColumnReader::from_name(std::string_view, const std::string&);
template RunStatus ColumnReader::from_name(std::string_view, const std::string&);
template SensorQuantity ColumnReader::from_name(std::string_view, const std::string&);
template DomainScope ColumnReader::from_name(std::string_view, const std::string&);
template DomainKind ColumnReader::from_name(std::string_view, const std::string&);

}  // namespace enprof
