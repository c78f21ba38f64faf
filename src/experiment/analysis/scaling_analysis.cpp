#include "experiment/analysis/scaling_analysis.hpp"

#include "base/counted.hpp"
#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/point_groups.hpp"
#include "experiment/analysis/scaling_fit.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kMostGroups = 6;  // of each axis

struct ScalingAxis {
  PointAxis axis = PointAxis::parameters;
  std::string_view key{};
  std::string_view title{};  // of x
  std::string_view more{};   // "twice the parameters"
  std::string_view energy{};
  const std::optional<MeasuredValue> PointData::* of = nullptr;
  CellKind kind = CellKind::number;
  std::string_view advice{};
};

constexpr std::array kAxes{
    ScalingAxis{.axis = PointAxis::parameters,
                .key = "parameters",
                .title = "parameters that a token reads",
                .more = "twice the parameters",
                .energy = "output token",
                .of = &PointData::output_energy,
                .kind = CellKind::count,
                .advice = "bench models of several sizes with one quantization: -m a,b,c"},
    ScalingAxis{.axis = PointAxis::context,
                .key = "context",
                .title = "positions in the context",
                .more = "twice the context",
                .energy = "output token",
                .of = &PointData::output_energy,
                .kind = CellKind::number,
                .advice = "bench prompts of several lengths: -p 128-4096*2"},
    ScalingAxis{.axis = PointAxis::micro_batch,
                .key = "batch",
                .title = "tokens at a time",
                .more = "twice the batch",
                .energy = "prompt token",
                .of = &PointData::input_energy,
                .kind = CellKind::number,
                .advice = "bench several micro-batches: -ub 8-512*2"},
    ScalingAxis{.axis = PointAxis::parallel,
                .key = "parallel",
                .title = "sequences at a time",
                .more = "twice the sequences",
                .energy = "output token",
                .of = &PointData::output_energy,
                .kind = CellKind::number,
                .advice = "bench several sequences at a time: -np 1-16*2"},
};

bool has_output(const PointData& point) { return point.output_energy.has_value(); }
bool has_input(const PointData& point) { return point.input_energy.has_value(); }

std::string sentence_of(const ScalingAxis& axis, const PointGroup& group, const ScalingFit& fit) {
  if (!fit.chosen) {
    return fmt::format("{}: {} are too few to choose a curve, which takes {}.", group.name,
                       counted(group.distinct, "value"), ScalingFit::kLeastToChoose);
  }
  const CurveFit& curve = fit.curves[*fit.chosen];
  const std::string also =
      fit.second ? fmt::format("; {} fits about equally", formula_of(fit.curves[*fit.second].kind))
                 : "";
  switch (curve.kind) {
    case CurveKind::constant:
      // AICc takes so much for a second coefficient that few values prove none but a steep one.
      return fmt::format("{}: energy per {} is not shown to depend on {}{}{}.", group.name,
                         axis.energy, axis.title, also,
                         group.distinct == ScalingFit::kLeastToChoose
                             ? fmt::format("; {} show steep curves alone, more show others",
                                           counted(group.distinct, "value"))
                             : "");
    case CurveKind::linear: {
      const double start = curve.coefficients[0];
      const double last = group.xs.back();
      return fmt::format(
          "{}: energy per {} is {} and {} for each of the {}{}; the first part is "
          "{:.0f} % at {}.",
          group.name, axis.energy, value_text(CellKind::energy, start, curve.half_of(0)),
          value_text(CellKind::energy, curve.coefficients[1], curve.half_of(1)), axis.title, also,
          100.0 * start / curve.at(last), value_text(axis.kind, last, std::nullopt));
    }
    case CurveKind::power_law:
      return fmt::format(
          "{}: energy per {} grows with the power {} of {}: {} makes it {:.2f} "
          "times{}.",
          group.name, axis.energy,
          value_text(CellKind::number, curve.coefficients[1], curve.half_of(1)), axis.title,
          axis.more, std::pow(2.0, curve.coefficients[1]), also);
  }
  return "";
}

AnalysisTable fits_table() {
  return {.title = "Curves",
          .columns = {{"axis", "axis"},
                      {"group", "points"},
                      {"curve", "curve"},
                      {"a", "a", CellKind::energy},
                      {"b", "b"},
                      {"scatter", "scatter", CellKind::share},
                      {"aicc", "AICc", CellKind::number},
                      {"is_chosen", "chosen"}}};
}

void add_fits(AnalysisTable& table, const ScalingAxis& axis, const PointGroup& group,
              const ScalingFit& fit) {
  for (std::size_t index = 0; index < fit.curves.size(); ++index) {
    const CurveFit& curve = fit.curves[index];
    AnalysisCell slope;
    if (curve.kind == CurveKind::linear) {
      slope = value_text(CellKind::energy, curve.coefficients[1], curve.half_of(1));
    } else if (curve.kind == CurveKind::power_law) {
      slope = value_text(CellKind::number, curve.coefficients[1], curve.half_of(1));
    }
    table.rows.push_back({std::string{axis.key}, group.name, std::string{formula_of(curve.kind)},
                          AnalysisCell{curve.coefficients[0], curve.half_of(0)}, slope,
                          curve.scatter, curve.aicc,
                          std::string{fit.chosen == index   ? "yes"
                                      : fit.second == index ? "nearly"
                                                            : ""}});
  }
}

void add_residuals(AnalysisTable& table, const ScalingAxis& axis, const ExperimentData& data,
                   const PointGroup& group, const CurveFit& curve) {
  for (std::size_t index = 0; index < group.points.size(); ++index) {
    const PointData& point = data.points[group.points[index]];
    table.rows.push_back({std::string{axis.key}, point.label, group.xs[index], point.*axis.of,
                          AnalysisCell{curve.at(group.xs[index]), curve.half_at(group.xs[index])},
                          curve.residuals[index]});
  }
}

Chart chart_of(const ScalingAxis& axis, const ExperimentData& data,
               const std::vector<PointGroup>& groups, const std::vector<ScalingFit>& fits,
               const std::vector<std::string>& labels) {
  Chart chart{.title = fmt::format("Energy per {} by {}", axis.energy, axis.title),
              .x = {.title = std::string{axis.title},
                    .is_logarithmic = groups.front().xs.back() > 8.0 * groups.front().xs.front()},
              .y = {.title = fmt::format("energy per {}", axis.energy), .unit = "J"}};
  for (std::size_t each = 0; each < groups.size(); ++each) {
    const PointGroup& group = groups[each];
    ChartSeries points{.name = group.name};
    for (std::size_t index = 0; index < group.points.size(); ++index) {
      const MeasuredValue& value = *(data.points[group.points[index]].*axis.of);
      points.points.push_back({.x = group.xs[index],
                               .y = value.value,
                               .y_half = value.half(),
                               .label = labels[group.points[index]]});
    }
    chart.series.push_back(std::move(points));
    if (!fits[each].chosen) {
      continue;
    }
    const CurveFit& curve = fits[each].curves[*fits[each].chosen];
    ChartSeries line{.name = fmt::format("{}: {}", group.name, formula_of(curve.kind)),
                     .kind = SeriesKind::line};
    constexpr int kSteps = 40;
    for (int step = 0; step <= kSteps; ++step) {
      const double share = static_cast<double>(step) / kSteps;
      const double first = group.xs.front();
      const double last = group.xs.back();
      const double x = chart.x.is_logarithmic ? first * std::pow(last / first, share)
                                              : first + share * (last - first);
      line.points.push_back({.x = x, .y = curve.at(x), .y_half = curve.half_at(x)});
    }
    chart.series.push_back(std::move(line));
  }
  return chart;
}

}  // namespace

Analysis analyze_scaling(const ExperimentData& data) {
  Analysis analysis{.question =
                        "How does energy per token grow with parameters, context and "
                        "batch?"};
  if (const std::string lacks = lacks_energy(data, ScalingFit::kLeastToFit); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  const std::vector<std::string> labels = short_labels(data);
  AnalysisTable curves = fits_table();
  AnalysisTable residuals{.title = "Residuals of the chosen curves",
                          .columns = {{"axis", "axis"},
                                      {"point", "point"},
                                      {"x", "x", CellKind::number},
                                      {"energy_per_token", "measured", CellKind::energy},
                                      {"curve", "curve", CellKind::energy},
                                      {"residual", "residual", CellKind::share}}};
  for (const ScalingAxis& axis : kAxes) {
    std::vector<PointGroup> groups =
        groups_along(data, axis.axis, axis.of == &PointData::input_energy ? has_input : has_output);
    std::vector<PointGroup> shown;
    std::vector<ScalingFit> fits;
    for (PointGroup& group : groups) {
      std::vector<double> ys;
      ys.reserve(group.points.size());
      for (const std::size_t point : group.points) {
        ys.push_back((data.points[point].*axis.of)->value);
      }
      if (auto fit = fit_scaling(group.xs, ys); fit && shown.size() < kMostGroups) {
        analysis.answers.push_back(sentence_of(axis, group, *fit));
        add_fits(curves, axis, group, *fit);
        if (fit->chosen) {
          add_residuals(residuals, axis, data, group, fit->curves[*fit->chosen]);
        }
        shown.push_back(std::move(group));
        fits.push_back(*std::move(fit));
      }
    }
    if (shown.empty()) {
      analysis.lacks.push_back(
          fmt::format("{}: no three points differ in it alone; {}", axis.key, axis.advice));
      continue;
    }
    analysis.charts.push_back(chart_of(axis, data, shown, fits, labels));
  }
  if (!curves.rows.empty()) {
    analysis.tables.push_back(std::move(curves));
  }
  if (!residuals.rows.empty()) {
    analysis.tables.push_back(std::move(residuals));
  }
  analysis.method.emplace_back(
      "Constant, line and power law by least squares with weights 1/y²: scatter is taken to be "
      "proportional to the value. The one with the least AICc (Akaike's criterion, corrected for "
      "few points; Hurvich and Tsai 1989) is chosen; within 2 of it another fits about equally. "
      "± is Student's 95 % interval, from the scatter of the points about the curve.");
  return analysis;
}

}  // namespace enprof
