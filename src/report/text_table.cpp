#include "report/text_table.hpp"

#include "report/format.hpp"

#include <algorithm>

namespace enprof {
namespace {

constexpr std::size_t kGap = 2;  // blanks between columns

const char* escape_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::warning:
      return "\x1b[33m";
    case Style::good:
      return "\x1b[32m";
    case Style::bad:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string styled(const Terminal& terminal, Style style, const std::string& text) {
  if (!terminal.colour || style == Style::plain) {
    return text;
  }
  return escape_of(style) + text + "\x1b[0m";
}

void TextTable::row(std::vector<std::string> cells, Style style) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), style});
}

std::string TextTable::text(const Terminal& terminal, std::size_t indent) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const Row& row : rows_) {
    for (std::size_t column = 0; column < widths.size(); ++column) {
      widths[column] = std::max(widths[column], display_width(row.cells[column]));
    }
  }
  std::string result;
  for (const Row& row : rows_) {
    std::string line;
    for (std::size_t column = 0; column < widths.size(); ++column) {
      const std::string& cell = row.cells[column];
      const std::string pad(widths[column] - display_width(cell), ' ');
      line += columns_[column] == Align::right ? pad + cell : cell + pad;
      line.append(kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += std::string(indent, ' ') + styled(terminal, row.style, line) + "\n";
  }
  return result;
}

}  // namespace enprof
