#include "experiment/analysis/mixtures_analysis.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/model_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace enprof {
namespace {

bool is_mixture(const PointData& point) { return point.model.experts.value_or(0) > 0; }

/// Of a value, over a number that is known exactly.
MeasuredValue over(const MeasuredValue& value, double divisor) {
  MeasuredValue result = value;
  result.value /= divisor;
  if (result.error) {
    *result.error /= divisor;
  }
  return result;
}

}  // namespace

Analysis analyze_mixtures(const ExperimentData& data) {
  Analysis analysis{.question = "What do mixtures of experts draw for what they use?"};
  if (const std::string lacks = lacks_energy(data, 1); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  if (std::ranges::none_of(data.points, is_mixture)) {
    analysis.lacks.emplace_back("no model of it is a mixture of experts");
    return analysis;
  }
  const std::vector<std::string> labels = short_labels(data);
  AnalysisTable table{.title = "Mixtures and dense models",
                      .columns = {{"point", "point"},
                                  {"experts", "experts", CellKind::number},
                                  {"experts_used", "used", CellKind::number},
                                  {"parameters", "parameters", CellKind::count},
                                  {"active_parameters", "active", CellKind::count},
                                  {"energy_per_output_token", "output token", CellKind::energy},
                                  {"energy_per_active_parameter", "per active", CellKind::energy},
                                  {"energy_per_parameter", "per parameter", CellKind::energy}}};
  Chart chart{.title = "Energy per output token by active parameters",
              .x = {.title = "parameters that a token reads", .is_logarithmic = true},
              .y = {.title = "energy per output token", .unit = "J"}};
  ChartSeries mixtures{.name = "mixtures"};
  ChartSeries dense{.name = "dense"};
  // Of one quantization and the same settings: only there a mixture and a dense model are alike.
  struct Side {
    MeasuredValue per_active{};
    std::string label{};
  };
  std::map<std::string, std::pair<std::vector<Side>, std::vector<Side>>> alike;
  std::vector<std::string> unknown;
  for (std::size_t index = 0; index < data.points.size(); ++index) {
    const PointData& point = data.points[index];
    const auto active = active_parameters(point.model);
    if (!point.output_energy) {
      continue;
    }
    if (!active || !point.model.parameters) {
      unknown.push_back(labels[index]);
      continue;
    }
    const auto parameters = static_cast<double>(*point.model.parameters);
    const MeasuredValue per_active = over(*point.output_energy, *active);
    const auto number = [](const std::optional<int>& value) {
      return value ? AnalysisCell{static_cast<double>(*value)} : AnalysisCell{};
    };
    table.rows.push_back({point.label, number(point.model.experts),
                          number(point.model.experts_used), parameters, *active,
                          point.output_energy, std::optional{per_active},
                          std::optional{over(*point.output_energy, parameters)}});
    (is_mixture(point) ? mixtures : dense)
        .points.push_back({.x = *active,
                           .y = point.output_energy->value,
                           .y_half = point.output_energy->half(),
                           .label = labels[index]});
    auto& [of_mixtures, of_dense] =
        alike[fmt::format("{} {}", point.model.quantization, point.settings())];
    (is_mixture(point) ? of_mixtures : of_dense)
        .push_back({.per_active = per_active, .label = labels[index]});
    if (is_mixture(point)) {
      analysis.answers.push_back(fmt::format(
          "{} uses {} of {} experts: a token reads {:.0f} % of its parameters, and draws {} per "
          "active parameter.",
          labels[index], point.model.experts_used.value_or(0), *point.model.experts,
          100.0 * *active / parameters,
          value_text(CellKind::energy, per_active.value, per_active.half())));
    }
  }
  for (const auto& [settings, sides] : alike) {
    const auto& [of_mixtures, of_dense] = sides;
    if (of_mixtures.empty() || of_dense.empty()) {
      continue;
    }
    const auto by_value = [](const Side& side) { return side.per_active.value; };
    const double least = std::ranges::min(of_dense, {}, by_value).per_active.value;
    const double most = std::ranges::max(of_dense, {}, by_value).per_active.value;
    analysis.answers.push_back(
        fmt::format("Dense models with {} draw {} to {} per active parameter.", settings,
                    value_text(CellKind::energy, least, std::nullopt),
                    value_text(CellKind::energy, most, std::nullopt)));
  }
  if (dense.points.empty()) {
    analysis.lacks.emplace_back("no dense model is beside the mixtures");
  }
  if (!unknown.empty()) {
    analysis.lacks.push_back(
        fmt::format("active parameters of {}: its file does not say its shape, or another one than "
                    "its parameters have",
                    list_text(unknown)));
  }
  if (!table.rows.empty()) {
    analysis.tables.push_back(std::move(table));
  }
  for (ChartSeries* const series : {&mixtures, &dense}) {
    if (!series->points.empty()) {
      chart.series.push_back(std::move(*series));
    }
  }
  if (!chart.series.empty()) {
    analysis.charts.push_back(std::move(chart));
  }
  analysis.method.emplace_back(
      "Active parameters are those that a decoded token reads, by the shape in the model's file: "
      "attention, router, the experts used, and the output's matrix; one row of the embedding. ± "
      "is that of the energy.");
  return analysis;
}

}  // namespace enprof
