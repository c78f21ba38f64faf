#include "experiment/analysis/batch_analysis.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/point_groups.hpp"
#include "experiment/analysis/scaling_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostGroups = 8;

bool has_output(const PointData& point) { return point.output_energy.has_value(); }
bool has_input(const PointData& point) {
  return point.input_energy.has_value() && point.prompt_tokens > 0;
}

/// What a pass costs, however many it serves, and what each of those that it serves adds.
struct Marginal {
  double fixed = 0.0;  // J of a pass
  std::optional<double> fixed_half{};
  double each = 0.0;  // J of one more
  std::optional<double> each_half{};
  CurveFit line{};
};

/// Sequences: the energy of a step against how many there are.
std::optional<Marginal> marginal_sequence(const ExperimentData& data, const PointGroup& group) {
  std::vector<double> ys;
  ys.reserve(group.points.size());
  for (std::size_t index = 0; index < group.points.size(); ++index) {
    ys.push_back(data.points[group.points[index]].output_energy->value * group.xs[index]);
  }
  auto line = fit_line(group.xs, ys);
  if (!line) {
    return std::nullopt;
  }
  return Marginal{.fixed = line->coefficients[0],
                  .fixed_half = line->half_of(0),
                  .each = line->coefficients[1],
                  .each_half = line->half_of(1),
                  .line = *std::move(line)};
}

/// Tokens of a prompt: its energy against the number of passes that compute it.
std::optional<Marginal> marginal_token(const ExperimentData& data, const PointGroup& group) {
  std::vector<double> passes;
  std::vector<double> ys;
  passes.reserve(group.points.size());
  ys.reserve(group.points.size());
  double tokens = 0.0;
  for (std::size_t index = 0; index < group.points.size(); ++index) {
    const PointData& point = data.points[group.points[index]];
    tokens = static_cast<double>(point.prompt_tokens);
    passes.push_back(std::ceil(tokens / group.xs[index]));
    ys.push_back(point.input_energy->value * tokens);
  }
  auto line = fit_line(passes, ys);
  if (!line) {
    return std::nullopt;
  }
  const auto half = line->half_of(0);
  return Marginal{.fixed = line->coefficients[1],
                  .fixed_half = line->half_of(1),
                  .each = line->coefficients[0] / tokens,
                  .each_half = half ? std::optional{*half / tokens} : std::nullopt,
                  .line = *std::move(line)};
}

std::string sentence_of(const PointGroup& group, const Marginal& marginal, std::string_view one,
                        std::string_view pass) {
  if (marginal.each <= 0.0 || marginal.fixed <= 0.0) {
    return fmt::format(
        "{}: the energy does not divide into a part of the {} and a part of each {} "
        "that are both above zero: {} and {}.",
        group.name, pass, one, value_text(CellKind::energy, marginal.fixed, marginal.fixed_half),
        value_text(CellKind::energy, marginal.each, marginal.each_half));
  }
  return fmt::format(
      "{}: one more {} adds {} to a {}, which costs {} whatever it computes; from "
      "{:.3g} on its own part is the larger one.",
      group.name, one, value_text(CellKind::energy, marginal.each, marginal.each_half), pass,
      value_text(CellKind::energy, marginal.fixed, marginal.fixed_half),
      marginal.fixed / marginal.each);
}

AnalysisTable marginal_table() {
  return {.title = "Marginal energy",
          .columns = {{"group", "points"},
                      {"of", "one more"},
                      {"marginal_energy", "adds", CellKind::energy},
                      {"energy_per_pass", "a pass costs", CellKind::energy},
                      {"scatter", "scatter", CellKind::share}}};
}

struct Kind {
  PointAxis axis = PointAxis::parallel;
  bool (*has)(const PointData&) = nullptr;
  std::optional<Marginal> (*of)(const ExperimentData&, const PointGroup&) = nullptr;
  std::string_view one{};
  std::string_view pass{};
  std::string_view title{};
  std::string_view lacks{};
  const std::optional<MeasuredValue> PointData::* energy = nullptr;
};

void add_kind(Analysis& analysis, AnalysisTable& table, const ExperimentData& data,
              const Kind& kind) {
  Chart chart{.title = std::string{kind.title},
              .x = {.title = fmt::format("{}s at a time", kind.one), .is_logarithmic = true},
              .y = {.title = fmt::format("energy per {}", kind.axis == PointAxis::parallel
                                                              ? "output token"
                                                              : "prompt token"),
                    .unit = "J"}};
  for (const PointGroup& group : groups_along(data, kind.axis, kind.has)) {
    const auto marginal = kind.of(data, group);
    if (!marginal || chart.series.size() >= kMostGroups) {
      continue;
    }
    analysis.answers.push_back(sentence_of(group, *marginal, kind.one, kind.pass));
    table.rows.push_back(
        {group.name, std::string{kind.one}, AnalysisCell{marginal->each, marginal->each_half},
         AnalysisCell{marginal->fixed, marginal->fixed_half}, marginal->line.scatter});
    ChartSeries series{.name = group.name};
    for (std::size_t index = 0; index < group.points.size(); ++index) {
      const MeasuredValue& energy = *(data.points[group.points[index]].*kind.energy);
      series.points.push_back({.x = group.xs[index], .y = energy.value, .y_half = energy.half()});
    }
    chart.series.push_back(std::move(series));
  }
  if (chart.series.empty()) {
    analysis.lacks.emplace_back(kind.lacks);
  } else {
    analysis.charts.push_back(std::move(chart));
  }
}

}  // namespace

Analysis analyze_batch(const ExperimentData& data) {
  Analysis analysis{.question = "What does one more sequence in the batch add?"};
  if (const std::string lacks = lacks_energy(data, ScalingFit::kLeastToFit); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  AnalysisTable table = marginal_table();
  add_kind(analysis, table, data,
           {.axis = PointAxis::parallel,
            .has = has_output,
            .of = marginal_sequence,
            .one = "sequence",
            .pass = "step",
            .title = "Energy per output token by sequences at a time",
            .lacks = "sequences: no three points differ in their number alone: -np 1-16*2",
            .energy = &PointData::output_energy});
  add_kind(analysis, table, data,
           {.axis = PointAxis::micro_batch,
            .has = has_input,
            .of = marginal_token,
            .one = "token",
            .pass = "pass",
            .title = "Energy per prompt token by tokens at a time",
            .lacks = "tokens of a prompt: no three points differ in their micro-batch alone: "
                     "-ub 8-512*2",
            .energy = &PointData::input_energy});
  if (!table.rows.empty()) {
    analysis.tables.push_back(std::move(table));
  }
  analysis.method.emplace_back(
      "Sequences: energy of a step = its own + sequences × what each adds, by least squares with "
      "weights 1/y². Tokens of a prompt: energy of the prompt = passes × what a pass costs + "
      "tokens × what each adds. ± is Student's 95 % interval, from the scatter about the line.");
  return analysis;
}

}  // namespace enprof
