// Text in aligned columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// What a terminal can display.
struct Terminal {
  bool colour = false;
  std::size_t width = 100;
};

enum class Style : std::uint8_t { plain, bold, dim, warning, good, bad };

/// The text in a style, if colours are on.
[[nodiscard]] std::string styled(const Terminal& terminal, Style style, const std::string& text);

/// Rows of cells; each column as wide as its widest cell.
class TextTable {
 public:
  enum class Align : std::uint8_t { left, right };

  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}

  /// Columns that may be dropped, in this order, if the table is wider than the terminal.
  void may_drop(std::vector<std::size_t> columns) { droppable_ = std::move(columns); }
  /// Texts in this column may be truncated to `least` columns, with an ellipsis, before any column
  /// is dropped. Numbers are never truncated: half a number is another number.
  void may_cut(std::size_t column, std::size_t least) { cuttable_.emplace_back(column, least); }
  /// Cells are made safe to print. Surplus cells are dropped; missing ones are empty.
  void row(std::vector<std::string> cells, Style style = Style::plain);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// The width with all columns shown, in terminal columns.
  [[nodiscard]] std::size_t width(std::size_t indent = 2) const;
  /// Each line begins with `indent` blanks and ends with a newline, without trailing blanks. A line
  /// that still does not fit the terminal is truncated.
  [[nodiscard]] std::string text(const Terminal& terminal, std::size_t indent = 2) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Style style;
  };
  [[nodiscard]] std::vector<std::size_t> widths() const;
  /// The widths of the columns that are shown in this much room; empty: dropped.
  [[nodiscard]] std::vector<std::optional<std::size_t>> fitted_widths(std::size_t room) const;

  std::vector<Align> columns_;
  std::vector<std::size_t> droppable_;
  std::vector<std::pair<std::size_t, std::size_t>> cuttable_;  // column, least width
  std::vector<Row> rows_;
};

}  // namespace enprof
