#include "experiment/analysis/analysis_report.hpp"

#include "base/counted.hpp"
#include "base/printable.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "report/format.hpp"
#include "report/report_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace enprof {
namespace {

using Align = TextTable::Align;

constexpr std::size_t kMostRows = 40;  // of a table on a terminal; JSON and the page have all
constexpr std::size_t kLeastText = 14;

void add_lines(ReportPage& page, std::string_view label, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    page.line(std::exchange(label, ""), text);
  }
}

void add_table(ReportPage& page, const AnalysisTable& table) {
  page.add("\n");
  page.add(styled(page.terminal(), Style::dim, table.title) + "\n");
  std::vector<Align> aligns;
  std::vector<std::string> titles;
  std::vector<std::size_t> droppable;
  for (std::size_t index = 0; index < table.columns.size(); ++index) {
    const AnalysisColumn& column = table.columns[index];
    aligns.push_back(column.kind == CellKind::text ? Align::left : Align::right);
    titles.push_back(column.title);
    if (index > 1) {
      droppable.insert(droppable.begin(), index);
    }
  }
  TextTable text(aligns);
  text.may_cut(0, kLeastText);
  text.may_drop(droppable);
  text.row(titles, Style::dim);
  for (std::size_t row = 0; row < std::min(table.rows.size(), kMostRows); ++row) {
    std::vector<std::string> cells;
    cells.reserve(table.columns.size());
    for (std::size_t index = 0; index < table.columns.size(); ++index) {
      cells.push_back(cell_text(table.rows[row][index], table.columns[index].kind));
    }
    text.row(std::move(cells));
  }
  page.table(text);
  if (table.rows.size() > kMostRows) {
    page.add(fmt::format("  … {} more: --json has all\n", table.rows.size() - kMostRows));
  }
}

std::string runs_text(const ExperimentData& data) {
  std::size_t runs = 0;
  std::size_t used = 0;
  for (const PointData& point : data.points) {
    runs += point.runs;
    used += point.used;
  }
  return fmt::format("{}, {}{}", counted(data.points.size(), "point"), counted(runs, "run"),
                     used < runs ? fmt::format("; the energies of {} can be compared", used) : "");
}

}  // namespace

std::string cell_text(const AnalysisCell& cell, CellKind kind) {
  if (const auto* const text = std::get_if<std::string>(&cell.value)) {
    return text->empty() ? std::string{kAbsent} : *text;
  }
  const auto* const number = std::get_if<double>(&cell.value);
  return number != nullptr ? value_text(kind, *number, cell.half) : std::string{kAbsent};
}

std::string analyses_report(const ExperimentData& data, const std::vector<Analysis>& analyses,
                            const Terminal& terminal) {
  ReportPage page(terminal);
  page.line("Experiment", data.name);
  page.line("", runs_text(data));
  page.line("Measured", data.first ? format_wall_time(*data.first) : "");
  page.line("Machine", fmt::format("{}", fmt::join(data.machines, "; ")));
  page.line("Sensors", fmt::format("{}", fmt::join(data.sensors, ", ")));
  if (data.has_estimates) {
    page.line("Estimates",
              "energies are estimates: CPU time times a power that was not measured; "
              "no difference between them is shown by a sensor");
  }
  add_lines(page, "Notes", data.notes);
  if (!data.missing.empty()) {
    page.line("Missing", list_text(data.missing));
  }
  for (const Analysis& analysis : analyses) {
    page.heading(fmt::format("{}: {}", analysis.name, analysis.question));
    for (const std::string& answer : analysis.answers) {
      page.add(wrap("- " + printable(answer), terminal.width, 2) + "\n");
    }
    for (const std::string& lacking : analysis.lacks) {
      const std::string text = fmt::format(
          "- {}{}", analysis.has_result() ? "Missing: " : "No answer: ", printable(lacking));
      page.add(styled(terminal, Style::warning, wrap(text, terminal.width, 2)) + "\n");
    }
    for (const AnalysisTable& table : analysis.tables) {
      add_table(page, table);
    }
  }
  return page.move_text();
}

}  // namespace enprof
