#include "report/csv_table.hpp"

#include "base/utf8.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <cmath>

namespace enprof {

CsvTable::CsvTable(std::initializer_list<std::string_view> columns) {
  for (const std::string_view column : columns) {
    field(column);
  }
}

void CsvTable::begin_rows_with(std::string_view text) { row_begin_ = text; }

CsvTable& CsvTable::row() {
  text_ += "\r\n";
  first_ = true;
  return row_begin_ ? add(*row_begin_) : *this;
}

CsvTable& CsvTable::field(std::string_view text) {
  if (!first_) {
    text_ += ',';
  }
  first_ = false;
  text_ += text;
  return *this;
}

CsvTable& CsvTable::add(std::string_view text) {
  std::string field_text = "\"";
  bool plain = !text.empty();
  for (const char character : to_valid_utf8(text)) {
    if (character == '\0') {
      field_text += "\xEF\xBF\xBD";
      continue;
    }
    plain = plain && character != '"' && character != ',' && character != '\n' && character != '\r';
    field_text += character;
    if (character == '"') {
      field_text += '"';
    }
  }
  if (plain) {
    return field(std::string_view{field_text}.substr(1));
  }
  field_text += '"';
  return field(field_text);
}

CsvTable& CsvTable::add(double number) {
  return std::isfinite(number) ? field(fmt::format("{}", number)) : absent();
}

CsvTable& CsvTable::add(WallTime time) { return add(utc_text(time)); }

}  // namespace enprof
