#include "experiment/analysis/prediction_analysis.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/energy_model.hpp"
#include "report/format.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

std::string costs_text(const EnergyModel& model) {
  std::vector<std::string> parts;
  parts.reserve(model.costs.size());
  for (const EnergyCost& cost : model.costs) {
    parts.push_back(fmt::format("{} per {}", value_text(CellKind::energy, cost.joules, cost.half),
                                kWorkParts[cost.part]));
  }
  return fmt::format("{}", fmt::join(parts, " and "));
}

void add_model(Analysis& analysis, AnalysisTable& costs, AnalysisTable& checks, Chart& chart,
               const ExperimentData& data, const EnergyModel& model,
               const std::vector<std::string>& labels) {
  const std::string_view kind = model.kind == TokenKind::output ? "output" : "prompt";
  analysis.answers.push_back(fmt::format("An {} token costs {} here.",
                                         model.kind == TokenKind::output ? "output" : "input",
                                         costs_text(model)));
  analysis.answers.push_back(fmt::format(
      "Each of {} left out and predicted by the others ({} token): {:.1f} % mean error, and the 95 "
      "% "
      "interval held {:.0f} % of {}. {}",
      counted(model.models, "model"), kind, 100.0 * model.mean_error, 100.0 * model.held,
      counted(model.left_out.size(), "point"),
      model.does_hold
          ? "That is as good as promised: at most 10 %, at least 90 %."
          : "That is worse than 10 % and 90 %: do not rely on predictions from this experiment."));
  for (const EnergyCost& cost : model.costs) {
    costs.rows.push_back({std::string{kind}, std::string{kWorkParts[cost.part]},
                          AnalysisCell{cost.joules, cost.half}});
  }
  ChartSeries series{.name = fmt::format("{} token", kind)};
  for (const LeftOut& each : model.left_out) {
    const PointData& point = data.points[each.point];
    const auto& measured =
        model.kind == TokenKind::output ? point.output_energy : point.input_energy;
    checks.rows.push_back({point.label, std::string{kind}, measured,
                           AnalysisCell{each.predicted.joules, each.predicted.half}, each.error,
                           std::string{each.is_held ? "yes" : "no"}});
    series.points.push_back({.x = measured->value,
                             .y = each.predicted.joules,
                             .x_half = measured->half(),
                             .y_half = each.predicted.half,
                             .label = labels[each.point]});
  }
  chart.series.push_back(std::move(series));
}

/// What may be predicted: the models that were asked for, at the settings of each point, and points
/// of the experiment that have no energy.
void add_predictions(Analysis& analysis, AnalysisTable& table, const ExperimentData& data,
                     const EnergyModel& model, const AnalysisOptions& options) {
  const std::string kind{model.kind == TokenKind::output ? "output" : "prompt"};
  const auto add = [&](const ModelFacts& facts, const PointData& settings,
                       const std::string& label) {
    const auto work = work_of(model.kind, facts, settings);
    if (!work) {
      analysis.lacks.push_back(
          fmt::format("{} is not predicted: its file does not say its shape", facts.name));
      return false;
    }
    const Predicted predicted = model.predict(*work);
    table.rows.push_back(
        {label, kind, AnalysisCell{predicted.joules, predicted.half}, work->bytes(), work->flops});
    return true;
  };
  for (const ModelFacts& facts : options.unknown_models) {
    std::vector<std::string> seen;
    for (const PointData& point : data.points) {
      const std::string settings = point.settings();
      if (std::ranges::find(seen, settings) != seen.end()) {
        continue;
      }
      seen.push_back(settings);
      if (!add(facts, point,
               fmt::format("{}{}{}", facts.name, settings.empty() ? "" : " ", settings))) {
        break;
      }
    }
  }
  for (const PointData& point : data.points) {
    const auto& energy = model.kind == TokenKind::output ? point.output_energy : point.input_energy;
    if (!energy && point.model.parameters && work_of(model.kind, point.model, point)) {
      (void)add(point.model, point, point.label);
    }
  }
}

}  // namespace

Analysis analyze_prediction(const ExperimentData& data, const AnalysisOptions& options) {
  Analysis analysis{.question = "What would a model draw here that did not run?"};
  if (const std::string lacks = lacks_energy(data, EnergyModel::kLeastModels); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  const std::vector<std::string> labels = short_labels(data);
  AnalysisTable costs{
      .title = "What this machine needs",
      .columns = {
          {"token", "token"}, {"unit", "for each"}, {"energy", "energy", CellKind::energy}}};
  AnalysisTable predictions{.title = "Predicted",
                            .columns = {{"point", "point"},
                                        {"token", "token"},
                                        {"predicted_energy", "predicted", CellKind::energy},
                                        {"bytes", "bytes", CellKind::bytes},
                                        {"flops", "FLOPs", CellKind::count}}};
  AnalysisTable checks{.title = "Each model, left out and predicted by the others",
                       .columns = {{"point", "point"},
                                   {"token", "token"},
                                   {"energy", "measured", CellKind::energy},
                                   {"predicted_energy", "predicted", CellKind::energy},
                                   {"error", "error", CellKind::share},
                                   {"is_held", "in interval"}}};
  Chart chart{.title = "Predicted against measured",
              .x = {.title = "measured", .unit = "J", .is_logarithmic = true},
              .y = {.title = "predicted without it", .unit = "J", .is_logarithmic = true}};
  for (const TokenKind kind : {TokenKind::output, TokenKind::input}) {
    std::string lacks;
    if (const auto model = fit_energy_model(data, kind, lacks)) {
      add_model(analysis, costs, checks, chart, data, *model, labels);
      add_predictions(analysis, predictions, data, *model, options);
    } else {
      analysis.lacks.push_back(lacks);
    }
  }
  for (AnalysisTable* const table : {&predictions, &costs, &checks}) {
    if (!table->rows.empty()) {
      analysis.tables.push_back(std::move(*table));
    }
  }
  if (!chart.series.empty()) {
    analysis.charts.push_back(std::move(chart));
  }
  analysis.method.emplace_back(
      "Work is computed from a model's shape: weights that a token reads, keys and values of its "
      "context, FLOPs, and layers × passes. Their energies are fitted to the points by least "
      "squares "
      "with weights 1/y², none below zero; AICc chooses which of them count. The interval is "
      "Student's, from the errors of models that were left out one at a time, so that it holds "
      "what "
      "the shape does not say. Beyond the sizes and types that were measured it is no better than "
      "that assumption.");
  return analysis;
}

}  // namespace enprof
