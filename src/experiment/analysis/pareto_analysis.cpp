#include "experiment/analysis/pareto_analysis.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/pareto_front.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace enprof {
namespace {

std::string_view words_of(ParetoState state) {
  constexpr std::array<std::string_view, 3> kWords{"on the front", "cannot be told", "beaten"};
  return kWords[static_cast<std::size_t>(state)];
}

std::vector<std::string> labels_of(const std::vector<std::size_t>& points,
                                   const std::vector<std::string>& labels) {
  std::vector<std::string> result;
  result.reserve(points.size());
  for (const std::size_t point : points) {
    result.push_back(labels[point]);
  }
  return result;
}

}  // namespace

Analysis analyze_pareto(const ExperimentData& data) {
  constexpr std::size_t kLeast = 2;
  constexpr std::size_t kMostShown = 2;      // of those that beat a point
  constexpr std::size_t kMostSentences = 3;  // about points that cannot be told apart
  Analysis analysis{.question = "Which points are not beaten in speed and energy at once?"};
  if (const std::string lacks = lacks_energy(data, kLeast); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  const std::vector<std::string> labels = short_labels(data);
  const ParetoFront front = pareto_front(data);
  std::array<std::vector<std::string>, 3> by_state;
  AnalysisTable table{.title = "Speed and energy",
                      .columns = {{"point", "point"},
                                  {"energy_per_output_token", "output token", CellKind::energy},
                                  {"decode_tokens_per_second", "output tok/s", CellKind::speed},
                                  {"state", "front"},
                                  {"by", "better"}}};
  std::array<ChartSeries, 3> series;
  for (const ParetoPoint& each : front.points) {
    const PointData& point = data.points[each.point];
    const auto state = static_cast<std::size_t>(each.state);
    by_state[state].push_back(labels[each.point]);
    table.rows.push_back({point.label, point.output_energy, point.output_speed,
                          std::string{words_of(each.state)},
                          list_text(labels_of(each.by, labels), kMostShown)});
    series[state].points.push_back({.x = point.output_speed->value,
                                    .y = point.output_energy->value,
                                    .x_half = point.output_speed->half(),
                                    .y_half = point.output_energy->half(),
                                    .label = labels[each.point]});
  }
  const auto& [best, unsure, beaten] = by_state;
  analysis.answers.push_back(fmt::format("{} of {} {} on the front: {}.", best.size(),
                                         counted(front.points.size(), "point"),
                                         best.size() == 1 ? "is" : "are", list_text(best)));
  if (!beaten.empty()) {
    analysis.answers.push_back(
        fmt::format("Another point is both faster and cheaper than {}.", list_text(beaten)));
  }
  if (unsure.size() > kMostSentences) {
    analysis.answers.push_back(fmt::format(
        "{} may be on the front or not: their intervals and those of others allow either to be "
        "better. The table names them.",
        counted(unsure.size(), "more point")));
  } else {
    for (const ParetoPoint& each : front.points) {
      if (each.state == ParetoState::undecided) {
        analysis.answers.push_back(
            fmt::format("{} and {} cannot be told apart: their intervals "
                        "allow either to be better.",
                        labels[each.point], list_text(labels_of(each.by, labels))));
      }
    }
  }
  if (front.lacks_repeats) {
    analysis.lacks.emplace_back(
        "a point has a single run, which says nothing about the spread: no other can be shown to "
        "be better. Measure it again: bench -r 5");
  }
  if (!front.left_out.empty()) {
    analysis.lacks.push_back(fmt::format("left out, as they have no energy or no speed: {}",
                                         list_text(labels_of(front.left_out, labels))));
  }
  Chart chart{.title = "Energy per output token against speed",
              .x = {.title = "output tokens per second"},
              .y = {.title = "energy per output token", .unit = "J"}};
  // The front as a line, from the cheapest to the fastest.
  ChartSeries line{.name = "the front", .kind = SeriesKind::line};
  for (const ChartPoint& point : series.front().points) {
    line.points.push_back({.x = point.x, .y = point.y});
  }
  for (std::size_t state = 0; state < series.size(); ++state) {
    if (!series[state].points.empty()) {
      series[state].name = words_of(static_cast<ParetoState>(state));
      chart.series.push_back(std::move(series[state]));
    }
  }
  if (line.points.size() > 1) {  // after the points that it joins
    chart.series.insert(chart.series.begin() + 1, std::move(line));
  }
  analysis.tables.push_back(std::move(table));
  analysis.charts.push_back(std::move(chart));
  analysis.method.push_back(fmt::format(
      "A point is beaten where another has less energy and more speed, and the intervals of both "
      "changes leave out zero: by rounds that the two share (ratio estimator), else by Welch's t "
      "test. Each comparison holds {:.4g} %, so that all together hold 95 % (Bonferroni).",
      100.0 * front.confidence));
  return analysis;
}

}  // namespace enprof
