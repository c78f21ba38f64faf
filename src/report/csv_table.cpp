#include "report/csv_table.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace enprof {

CsvTable::CsvTable(std::string name, std::initializer_list<std::string_view> columns)
    : name_(std::move(name)) {
  header(columns);
}

CsvTable CsvTable::with_figure(std::string name, std::initializer_list<std::string_view> columns) {
  CsvTable table(std::move(name), columns);
  table.header({"duration_ms", "energy_mj", "baseline_energy_mj", "dynamic_energy_mj",
                "mean_power_mw", "sensor", "method", "coverage", "resolution", "standard_error_mj",
                "dynamic_standard_error_mj", "foreign_cpu_share"});
  return table;
}

void CsvTable::header(std::initializer_list<std::string_view> columns) {
  for (const std::string_view column : columns) {
    field(column);
  }
}

CsvTable& CsvTable::row() {
  text_ += "\r\n";
  first_ = true;
  return *this;
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

CsvTable& CsvTable::figure(const Figure& figure) {
  const Quality& quality = figure.quality;
  return add(figure.duration)
      .add(figure.total)
      .add(figure.baseline)
      .add(figure.dynamic)
      .add(figure.mean_power)
      .text_or_absent(quality.sensor)
      .add(quality.method)
      .add(quality.coverage)
      .add(quality.resolution)
      .add(quality.standard_error)
      .add(quality.dynamic_standard_error)
      .add(quality.foreign_cpu_share);
}

}  // namespace enprof
