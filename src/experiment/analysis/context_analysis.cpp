#include "experiment/analysis/context_analysis.hpp"

#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/point_groups.hpp"
#include "experiment/analysis/scaling_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostGroups = 8;

/// What grows with the context; the projections of attention do not.
constexpr std::array<std::string_view, 6> kOfContext{
    "attention", "qk_matmul", "softmax", "value_matmul", "merge_heads", "kv_cache_store"};

bool has_energy(const PointData& point) { return point.output_energy.has_value(); }

/// Share of attention and cache by the components; empty without components.
std::optional<MeasuredValue> share_of(const PointData& point) {
  if (point.components.empty()) {
    return std::nullopt;
  }
  MeasuredValue sum{.error = 0.0};
  for (const ComponentEnergy& each : point.components) {
    if (std::ranges::find(kOfContext, each.component) == kOfContext.end()) {
      continue;
    }
    sum.value += each.share.value;
    sum.count = each.share.count;
    sum.freedom = each.share.freedom;
    // Parts of one whole err together at worst.
    sum.error = sum.error && each.share.error ? std::optional{*sum.error + *each.share.error}
                                              : std::nullopt;
  }
  return sum;
}

/// Share of the slope's part at x: b x / (a + b x), by the law of propagation of uncertainty.
AnalysisCell share_of_slope(const CurveFit& line, double x) {
  const double a = line.coefficients[0];
  const double b = line.coefficients[1];
  const double whole = a + b * x;
  if (line.covariance.empty() || whole <= 0.0) {
    return {b * x / whole};
  }
  const double by_a = -b * x / (whole * whole);
  const double by_b = a * x / (whole * whole);
  const double square = by_a * by_a * line.covariance[0] + 2.0 * by_a * by_b * line.covariance[1] +
                        by_b * by_b * line.covariance[3];
  return {b * x / whole,
          coverage_factor(kUsualConfidence, line.freedom) * std::sqrt(std::max(square, 0.0))};
}

}  // namespace

Analysis analyze_context(const ExperimentData& data) {
  Analysis analysis{.question = "How much of an output token is attention and the KV cache?"};
  if (const std::string lacks = lacks_energy(data, 1); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  AnalysisTable table{.title = "Attention and cache",
                      .columns = {{"point", "point"},
                                  {"context_positions", "context", CellKind::number},
                                  {"energy_per_output_token", "output token", CellKind::energy},
                                  {"share_by_components", "by components", CellKind::share},
                                  {"share_by_slope", "by slope", CellKind::share}}};
  Chart chart{.title = "Energy per output token by context",
              .x = {.title = "positions in the context"},
              .y = {.title = "energy per output token", .unit = "J"}};
  std::vector<AnalysisCell> by_slope(data.points.size());
  std::size_t fitted = 0;
  for (const PointGroup& group : groups_along(data, PointAxis::context, has_energy)) {
    std::vector<double> ys;
    ys.reserve(group.points.size());
    for (const std::size_t point : group.points) {
      ys.push_back(data.points[point].output_energy->value);
    }
    const auto line = fit_line(group.xs, ys);
    if (!line || fitted >= kMostGroups) {
      continue;
    }
    ++fitted;
    ChartSeries points{.name = group.name};
    ChartSeries curve{.name = group.name + ": y = a + b x", .kind = SeriesKind::line};
    for (std::size_t index = 0; index < group.points.size(); ++index) {
      const MeasuredValue& energy = *data.points[group.points[index]].output_energy;
      by_slope[group.points[index]] = share_of_slope(*line, group.xs[index]);
      points.points.push_back({.x = group.xs[index], .y = energy.value, .y_half = energy.half()});
      curve.points.push_back({.x = group.xs[index],
                              .y = line->at(group.xs[index]),
                              .y_half = line->half_at(group.xs[index])});
    }
    const AnalysisCell& last = by_slope[group.points.back()];
    const double slope = line->coefficients[1];
    const auto slope_half = line->half_of(1);
    if (slope_half && std::abs(slope) <= *slope_half) {
      analysis.answers.push_back(fmt::format(
          "{}: the energy of an output token is not shown to grow with the context, up to {:.4g} "
          "positions.",
          group.name, group.xs.back()));
    } else {
      analysis.answers.push_back(fmt::format(
          "{}: each thousand positions of context add {}; at {:.4g} positions that is {} of an "
          "output token.",
          group.name,
          value_text(CellKind::energy, 1e3 * slope,
                     slope_half ? std::optional{1e3 * *slope_half} : std::nullopt),
          group.xs.back(), value_text(CellKind::share, std::get<double>(last.value), last.half)));
    }
    chart.series.push_back(std::move(points));
    chart.series.push_back(std::move(curve));
  }
  bool has_components = false;
  for (std::size_t index = 0; index < data.points.size(); ++index) {
    const PointData& point = data.points[index];
    const auto share = share_of(point);
    has_components = has_components || share;
    const bool is_told = share || by_slope[index].value.index() != 0;
    if (point.output_energy && is_told) {
      table.rows.push_back(
          {point.label, point.decode_context(), point.output_energy, share, by_slope[index]});
    }
  }
  if (fitted == 0) {
    analysis.lacks.emplace_back(
        "the slope: no three points differ in their context alone: -p 128-4096*2");
  }
  if (!has_components) {
    analysis.lacks.emplace_back("the components: runs have none at this depth: --depth module");
  } else if (analysis.answers.empty()) {
    double most = 0.0;
    for (const PointData& point : data.points) {
      most = std::max(most, share_of(point).value_or(MeasuredValue{}).value);
    }
    analysis.answers.push_back(
        fmt::format("By components, attention and the cache are at most {} of an output token.",
                    value_text(CellKind::share, most, std::nullopt)));
  }
  if (!table.rows.empty()) {
    analysis.tables.push_back(std::move(table));
  }
  if (!chart.series.empty()) {
    analysis.charts.push_back(std::move(chart));
  }
  analysis.method.emplace_back(
      "By components: energy of scores, softmax, sums of values and writes to the cache over that "
      "of all components of the decode phase; the projections count to the weights. By slope: a "
      "line through the points, with weights 1/y²; the share is what the context adds at that "
      "length. The context of a token is what was filled before, the prompt, and half the output.");
  return analysis;
}

}  // namespace enprof
