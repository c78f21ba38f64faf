#include "report/roofline_section.hpp"

#include "model/whole_energy.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace enprof {
namespace {

using Align = TextTable::Align;

constexpr std::size_t kShown = 12;
constexpr double kCertain = 2.0;  // standard errors

std::optional<double> ratio(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b && *b > 0.0 ? std::optional{*a / *b} : std::nullopt;
}

std::string number(const std::optional<double>& value, double unit) {
  return value ? fmt::format("{:.3g}", *value / unit) : std::string{kAbsent};
}

/// A point of the chart; "A" is the first row of the table.
struct Point {
  double intensity;
  double joules_per_flop;
  char mark;
};

/// Draws pJ/FLOP against FLOP/byte, both logarithmic, with the roof as dots.
std::string chart(const std::vector<Point>& points, const EnergyRoof& roof, std::size_t width) {
  constexpr int kMostColumns = 60;
  constexpr int kAxis = 12;  // the labels and the axis line
  const int columns = std::clamp(static_cast<int>(width) - kAxis, 10, kMostColumns);
  constexpr int kRows = 12;
  constexpr double kMargin = 1.25;  // a factor on each side
  const auto [left, right] = std::ranges::minmax(points, {}, &Point::intensity);
  const double low_x = std::log(left.intensity / kMargin);
  const double high_x = std::log(right.intensity * kMargin);
  double least = roof.at(std::exp(high_x));
  double most = roof.at(std::exp(low_x));
  for (const Point& point : points) {
    least = std::min(least, point.joules_per_flop);
    most = std::max(most, point.joules_per_flop);
  }
  const double low_y = std::log(least / kMargin);
  const double high_y = std::log(most * kMargin);

  std::vector<std::string> rows(kRows, std::string(static_cast<std::size_t>(columns), ' '));
  const auto put = [&](double intensity, double joules, char mark) {
    const double x = (std::log(intensity) - low_x) / (high_x - low_x);
    const double y = (std::log(joules) - low_y) / (high_y - low_y);
    const auto column = std::clamp(static_cast<int>(x * columns), 0, columns - 1);
    const auto row = kRows - 1 - std::clamp(static_cast<int>(y * kRows), 0, kRows - 1);
    char& cell = rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
    cell = cell == ' ' || cell == '.' ? mark : '*';
  };
  for (int column = 0; column < columns; ++column) {
    const double intensity = std::exp(low_x + (column + 0.5) / columns * (high_x - low_x));
    put(intensity, roof.at(intensity), '.');
  }
  for (const Point& point : points) {
    put(point.intensity, point.joules_per_flop, point.mark);
  }

  std::string text = "  pJ/FLOP\n";
  for (int row = 0; row < kRows; ++row) {
    const double y = high_y - (row + 0.5) / kRows * (high_y - low_y);
    const bool labelled = row == 0 || row == kRows - 1 || row == kRows / 2;
    std::string line = fmt::format(
        "  {:>8} |{}", labelled ? fmt::format("{:.3g}", std::exp(y) * 1e12) : std::string{},
        rows[static_cast<std::size_t>(row)]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  const std::string first = fmt::format("{:.3g}", std::exp(low_x));
  const std::string last = fmt::format("{:.3g} FLOP/byte", std::exp(high_x));
  text += fmt::format("           +{}\n", std::string(static_cast<std::size_t>(columns), '-'));
  text +=
      fmt::format("            {}{:>{}}\n", first, last, columns - static_cast<int>(first.size()));
  return text;
}

}  // namespace

OperationCost operation_cost(const OperationFigure& operation) {
  const Figure& figure = operation.figure;
  const std::optional<Joules> whole = whole_energy(figure);
  const std::optional<double> joules = whole ? std::optional{whole->value()} : std::nullopt;
  const std::optional<double> time = seconds(figure.duration);
  return {.joules_per_flop = ratio(joules, operation.flops),
          .joules_per_byte = ratio(joules, operation.bytes),
          .flops_per_byte = ratio(operation.flops, operation.bytes),
          .flops_per_second = ratio(operation.flops, time),
          .bytes_per_second = ratio(operation.bytes, time)};
}

double EnergyRoof::at(double flops_per_byte) const {
  return std::max(joules_per_flop, joules_per_byte / flops_per_byte);
}

std::optional<EnergyRoof> energy_roof(const std::vector<OperationFigure>& operations) {
  std::optional<EnergyRoof> roof;
  for (const OperationFigure& operation : operations) {
    const OperationCost cost = operation_cost(operation);
    const Joules error = operation.figure.quality.standard_error.value_or(Joules{});
    if (!cost.joules_per_flop || !cost.joules_per_byte ||
        *operation.figure.total <= error * kCertain) {
      continue;
    }
    if (!roof) {
      roof = EnergyRoof{*cost.joules_per_flop, *cost.joules_per_byte};
    }
    roof->joules_per_flop = std::min(roof->joules_per_flop, *cost.joules_per_flop);
    roof->joules_per_byte = std::min(roof->joules_per_byte, *cost.joules_per_byte);
  }
  return roof;
}

void write_roofline(ReportPage& page, const ProfiledRun& run) {
  const auto roof = energy_roof(run.operations);
  if (!roof) {
    return;
  }
  std::vector<const OperationFigure*> sorted;
  for (const OperationFigure& operation : run.operations) {
    if (operation_cost(operation).joules_per_byte) {
      sorted.push_back(&operation);
    }
  }
  std::ranges::stable_sort(sorted, std::ranges::greater{}, [](const OperationFigure* operation) {
    return operation->figure.total;
  });
  sorted.resize(std::min(sorted.size(), kShown));

  page.heading("Energy per work");
  TextTable table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right,
                   Align::right, Align::right});
  table.may_drop({5, 6, 1, 3});
  table.may_cut(2, 10);
  table.row({"", "phase", "operation", "FLOP/byte", "pJ/FLOP", "± ", "pJ/byte", "× roof"},
            Style::dim);
  std::vector<Point> points;
  for (std::size_t index = 0; index < sorted.size(); ++index) {
    const OperationFigure& operation = *sorted[index];
    const OperationCost cost = operation_cost(operation);
    const auto mark = static_cast<char>('A' + static_cast<int>(index));
    std::string above{kAbsent};
    if (cost.joules_per_flop && cost.flops_per_byte && *cost.joules_per_flop > 0.0) {
      above = fmt::format("{:.3g}", *cost.joules_per_flop / roof->at(*cost.flops_per_byte));
      points.push_back({*cost.flops_per_byte, *cost.joules_per_flop, mark});
    }
    std::optional<double> error;
    if (operation.figure.quality.standard_error) {
      error = operation.figure.quality.standard_error->value();
    }
    const std::string name = operation.component == operation.op
                                 ? operation.op
                                 : operation.component + " " + operation.op;
    table.row({std::string{mark}, std::string{to_string(operation.phase)}, name,
               number(cost.flops_per_byte, 1.0), number(cost.joules_per_flop, 1e-12),
               number(ratio(error, operation.flops), 1e-12), number(cost.joules_per_byte, 1e-12),
               above});
  }
  page.table(table);
  if (!points.empty()) {
    page.add("\n" + chart(points, *roof, page.terminal().width));
  }
  page.add(
      "  " +
      wrap(fmt::format("Dots: the lowest cost of a FLOP ({:.3g} pJ) and of a byte ({:.3g} pJ) in "
                       "this run. *: several operations. Bytes are counted as if caches were "
                       "perfect.",
                       roof->joules_per_flop * 1e12, roof->joules_per_byte * 1e12),
           page.terminal().width, 2) +
      "\n");
}

}  // namespace enprof
