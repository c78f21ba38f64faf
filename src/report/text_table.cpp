#include "report/text_table.hpp"

#include "base/printable.hpp"
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
  for (std::string& cell : cells) {
    cell = printable(cell);  // before its width is taken
  }
  rows_.push_back({std::move(cells), style});
}

std::vector<std::size_t> TextTable::widths() const {
  std::vector<std::size_t> result(columns_.size(), 0);
  for (const Row& row : rows_) {
    for (std::size_t column = 0; column < result.size(); ++column) {
      result[column] = std::max(result[column], display_width(row.cells[column]));
    }
  }
  return result;
}

std::size_t TextTable::width(std::size_t indent) const {
  std::size_t result = indent;
  for (const std::size_t column : widths()) {
    result += column + kGap;
  }
  return columns_.empty() ? result : result - kGap;
}

std::string TextTable::text(const Terminal& terminal, std::size_t indent) const {
  const std::vector<std::size_t> widths = this->widths();
  std::vector<bool> shown(columns_.size(), true);
  std::size_t total = width(indent);
  for (const std::size_t column : droppable_) {
    if (total > terminal.width) {
      shown[column] = false;
      total -= widths[column] + kGap;
    }
  }
  std::string result;
  for (const Row& row : rows_) {
    std::string line;
    for (std::size_t column = 0; column < widths.size(); ++column) {
      if (!shown[column]) {
        continue;
      }
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
