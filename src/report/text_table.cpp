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
    cell = printable(cell);  // before measuring its width
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

std::vector<std::optional<std::size_t>> TextTable::fitted_widths(std::size_t room) const {
  const std::vector<std::size_t> natural = widths();
  std::vector<std::optional<std::size_t>> result(natural.begin(), natural.end());
  const auto total = [&] {
    std::size_t sum = 0;
    for (const auto& width : result) {
      sum += width ? *width + (sum == 0 ? 0 : kGap) : 0;
    }
    return sum;
  };
  const auto could_be_cut = [&] {
    std::size_t sum = 0;
    for (const auto& [column, least] : cuttable_) {
      sum += result[column] && *result[column] > least ? *result[column] - least : 0;
    }
    return sum;
  };
  for (const std::size_t column : droppable_) {
    if (total() > room + could_be_cut()) {
      result[column].reset();
    }
  }
  // Narrows the widest column first, so that widths become equal.
  for (std::size_t sum = total(); sum > room; --sum) {
    std::optional<std::size_t>* widest = nullptr;
    for (const auto& [column, least] : cuttable_) {
      auto& width = result[column];
      if (width && *width > least && (widest == nullptr || *width > **widest)) {
        widest = &width;
      }
    }
    if (widest == nullptr) {
      break;
    }
    --**widest;
  }
  return result;
}

std::string TextTable::text(const Terminal& terminal, std::size_t indent) const {
  const auto shown = fitted_widths(terminal.width - std::min(terminal.width, indent));
  std::string result;
  for (const Row& row : rows_) {
    std::string line;
    for (std::size_t column = 0; column < shown.size(); ++column) {
      if (!shown[column]) {
        continue;
      }
      const std::string cell = cut(row.cells[column], *shown[column]);
      const std::string pad(*shown[column] - display_width(cell), ' ');
      const bool is_right = columns_[column] == Align::right;
      line.append(is_right ? pad : cell).append(is_right ? cell : pad).append(kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    line = cut(line.insert(0, indent, ' '), terminal.width).substr(indent);
    result.append(indent, ' ').append(styled(terminal, row.style, line)).append("\n");
  }
  return result;
}

}  // namespace enprof
