// Columns that line up.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// What a terminal can show.
struct Terminal {
  bool colour = false;
  std::size_t width = 100;
};

enum class Style : std::uint8_t { plain, bold, dim, warning, good, bad };

/// The text in a style, where there are colours.
[[nodiscard]] std::string styled(const Terminal& terminal, Style style, const std::string& text);

/// Rows of cells; each column as wide as its widest cell.
class TextTable {
 public:
  enum class Align : std::uint8_t { left, right };

  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}

  /// Columns that may be left out, the first first, where the table is wider than the terminal.
  void may_drop(std::vector<std::size_t> columns) { droppable_ = std::move(columns); }
  /// Cells are made safe to print. Those beyond the columns are dropped; missing ones are empty.
  void row(std::vector<std::string> cells, Style style = Style::plain);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Blanks and letters across, all columns shown.
  [[nodiscard]] std::size_t width(std::size_t indent = 2) const;
  /// Each line begins with `indent` blanks and ends with a newline, without trailing blanks.
  [[nodiscard]] std::string text(const Terminal& terminal, std::size_t indent = 2) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Style style;
  };
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<Align> columns_;
  std::vector<std::size_t> droppable_;
  std::vector<Row> rows_;
};

}  // namespace enprof
