#include "experiment/analysis/trend_analysis.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/measure.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// Those with an energy, oldest first.
std::vector<const TrendEntry*> measured_entries(const PointTrend& trend) {
  std::vector<const TrendEntry*> entries;
  for (const TrendEntry& entry : trend.entries) {
    if (entry.point.output_energy) {
      entries.push_back(&entry);
    }
  }
  return entries;
}

std::string name_of(const TrendEntry& entry) {
  return entry.commit ? fmt::format("{} ({})", entry.experiment, *entry.commit) : entry.experiment;
}

MeasureChange change_between(const TrendEntry& before, const TrendEntry& after) {
  return compare_sets(before.point.run_set(), after.point.run_set())
      .of(*find_measure(kOutputTokenMeasure));
}

std::string sentence_of(const PointTrend& trend, const TrendEntry& before, const TrendEntry& after,
                        const MeasureChange& change) {
  if (!change.change) {
    return fmt::format("{}: {} against {}: {}.", trend.point, name_of(after), name_of(before),
                       change.refusal);
  }
  const std::string text = change_text(*change.change, change.half);
  if (!change.half || std::abs(*change.change) <= *change.half) {
    return fmt::format("{}: {} is not shown to differ from {}: {}.", trend.point, name_of(after),
                       name_of(before), text);
  }
  return fmt::format("{}: {} needs {} than {}.", trend.point, name_of(after), text,
                     name_of(before));
}

AnalysisTable trend_table() {
  return {.title = "Energy per output token, experiment by experiment",
          .columns = {{"point", "point"},
                      {"experiment", "experiment"},
                      {"energy_per_output_token", "output token", CellKind::energy},
                      {"change", "change", CellKind::share},
                      {"started_at", "measured"},
                      {"commit", "commit"},
                      {"decode_tokens_per_second", "output tok/s", CellKind::speed}}};
}

double days_between(WallTime first, WallTime last) {
  return std::chrono::duration<double, std::chrono::days::period>(last - first).count();
}

/// Adds a row for each entry, and the points of its line; returns the last change.
std::optional<MeasureChange> add_entries(AnalysisTable& table, ChartSeries& series,
                                         const PointTrend& trend,
                                         const std::vector<const TrendEntry*>& entries,
                                         WallTime first) {
  std::optional<MeasureChange> last;
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const TrendEntry& entry = *entries[index];
    AnalysisCell change;
    if (index > 0) {
      last = change_between(*entries[index - 1], entry);
      if (last->change) {
        change = {*last->change, last->half};
      }
    }
    table.rows.push_back({trend.point, entry.experiment, entry.point.output_energy, change,
                          format_wall_time(entry.at), entry.commit.value_or(""),
                          entry.point.output_speed});
    series.points.push_back({.x = days_between(first, entry.at),
                             .y = entry.point.output_energy->value,
                             .y_half = entry.point.output_energy->half(),
                             .label = name_of(entry)});
  }
  return last;
}

}  // namespace

Analysis analyze_trend(const ExperimentTrend& trend) {
  Analysis analysis{.name = std::string{kTrendAnalysis},
                    .question = "How did the energy go over time?"};
  std::optional<WallTime> first;
  for (const PointTrend& point : trend.points) {
    if (const auto entries = measured_entries(point); entries.size() > 1) {
      first = first ? std::min(*first, entries.front()->at) : entries.front()->at;
    }
  }
  if (!first) {
    analysis.lacks.emplace_back(
        "no point was measured by two experiments on this machine, with energies that can be "
        "compared. Points are the same where their names are: bench prints them");
    return analysis;
  }
  AnalysisTable table = trend_table();
  Chart chart{
      .title = "Energy per output token over time",
      .x = {.title = fmt::format("days since {}", format_wall_time(*first))},
      .y = {.title = "energy per output token", .unit = "J"},
  };
  for (const PointTrend& point : trend.points) {
    const std::vector<const TrendEntry*> entries = measured_entries(point);
    if (entries.size() < 2) {
      continue;
    }
    ChartSeries series{.name = point.point};
    if (const auto change = add_entries(table, series, point, entries, *first)) {
      analysis.answers.push_back(
          sentence_of(point, *entries[entries.size() - 2], *entries.back(), *change));
    }
    chart.series.push_back(std::move(series));
  }
  if (trend.is_cut) {
    analysis.lacks.emplace_back(
        fmt::format("experiments that are older than the newest {} runs", kMostTrendRuns));
  }
  if (trend.on_other_machines > 0) {
    analysis.lacks.push_back(
        fmt::format("{} of other machines", counted(trend.on_other_machines, "run")));
  }
  analysis.tables.push_back(std::move(table));
  analysis.charts.push_back(std::move(chart));
  analysis.method.emplace_back(
      "Each experiment is compared with the one before it as enprof compare does; ± is the 95 % "
      "interval of that one change. Of many changes one in twenty exceeds its interval by chance.");
  return analysis;
}

}  // namespace enprof
