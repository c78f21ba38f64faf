#include "store/column_visitors.hpp"

#include "model/enum_from_name.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <climits>

namespace enprof {

void ColumnBinder::operator()(FieldName, const std::string& text) {
  // SQLite counts in int, and would read a negative length as "up to the first NUL".
  if (text.size() > INT_MAX) {
    throw SQLite::Exception("string or blob too big", SQLITE_TOOBIG);
  }
  statement_.bindNoCopy(next_++, text);
}

template <class Enum>
Enum ColumnReader::from_name(FieldName column, const std::string& name) {
  if (const std::optional<Enum> value = enum_from_name<Enum>(name)) {
    return *value;
  }
  throw SQLite::Exception(
      fmt::format("column {} holds the unknown value '{}'", column.in_database, name),
      SQLITE_CORRUPT);
}

template Phase ColumnReader::from_name(FieldName, const std::string&);
template Depth ColumnReader::from_name(FieldName, const std::string&);
template Method ColumnReader::from_name(FieldName, const std::string&);
template RunStatus ColumnReader::from_name(FieldName, const std::string&);
template SensorQuantity ColumnReader::from_name(FieldName, const std::string&);
template DomainScope ColumnReader::from_name(FieldName, const std::string&);
template VerdictLevel ColumnReader::from_name(FieldName, const std::string&);
template DomainKind ColumnReader::from_name(FieldName, const std::string&);
template CapturePartKind ColumnReader::from_name(FieldName, const std::string&);

}  // namespace enprof
