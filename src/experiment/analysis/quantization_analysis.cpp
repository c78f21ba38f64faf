#include "experiment/analysis/quantization_analysis.hpp"

#include "experiment/analysis/analysis_text.hpp"
#include "experiment/analysis/model_work.hpp"
#include "experiment/analysis/point_groups.hpp"
#include "experiment/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace enprof {
namespace {

bool has_energy(const PointData& point) { return point.output_energy.has_value(); }

/// "no better or worse perplexity" or what it is; empty without figures.
std::string quality_text(const PointData& point, const PointData& reference) {
  if (point.kl_divergence) {
    return fmt::format(
        "its KL divergence from the reference model is {}",
        value_text(CellKind::number, point.kl_divergence->value, point.kl_divergence->error));
  }
  if (point.perplexity && reference.perplexity) {
    return fmt::format("its perplexity is {:.4g} instead of {:.4g}", point.perplexity->value,
                       reference.perplexity->value);
  }
  return "";
}

std::string sentence_of(const PointData& point, const PointData& reference,
                        const MeasureChange& change) {
  const std::string name =
      point.model.quantization.empty() ? point.label : point.model.quantization;
  const std::string other =
      reference.model.quantization.empty() ? reference.label : reference.model.quantization;
  std::string text;
  if (!change.change) {
    text = fmt::format("{} against {}: {}", name, other, change.refusal);
  } else if (change.half && std::abs(*change.change) <= *change.half) {
    text = fmt::format("{} is not shown to differ from {} per output token: {}", name, other,
                       change_text(*change.change, change.half));
  } else {
    text = fmt::format("{} needs {} per output token than {}", name,
                       change_text(*change.change, change.half), other);
  }
  text += fmt::format(", with {:.3g} bits a weight instead of {:.3g}",
                      *bits_per_weight(point.model), *bits_per_weight(reference.model));
  if (const std::string quality = quality_text(point, reference); !quality.empty()) {
    text += "; " + quality;
  }
  return text + ".";
}

AnalysisCell cell_of(const std::optional<QualityFigure>& figure) {
  if (!figure) {
    return {};
  }
  return {figure->value, figure->error ? std::optional{coverage_factor(kUsualConfidence, HUGE_VAL) *
                                                       *figure->error}
                                       : std::nullopt};
}

}  // namespace

Analysis analyze_quantization(const ExperimentData& data) {
  constexpr std::size_t kLeast = 2;
  Analysis analysis{.question = "What do fewer bits save, and what do they cost?"};
  if (const std::string lacks = lacks_energy(data, kLeast); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  const std::vector<PointGroup> groups = groups_along(data, PointAxis::quantization, has_energy);
  if (groups.empty()) {
    analysis.lacks.emplace_back(
        "no two points are of one shape with different quantizations: -m a-q8.gguf,a-q4.gguf");
    return analysis;
  }
  AnalysisTable table{.title = "Quantizations of one shape",
                      .columns = {{"point", "point"},
                                  {"quantization", "type"},
                                  {"bits_per_weight", "bits", CellKind::number},
                                  {"weight_bytes", "weights", CellKind::bytes},
                                  {"energy_per_output_token", "output token", CellKind::energy},
                                  {"change", "change", CellKind::share},
                                  {"decode_tokens_per_second", "output tok/s", CellKind::speed},
                                  {"perplexity", "perplexity", CellKind::number},
                                  {"kl_divergence", "KL", CellKind::number}}};
  Chart chart{.title = "Energy per output token by bits of a weight",
              .x = {.title = "bits per weight"},
              .y = {.title = "energy per output token", .unit = "J"}};
  bool has_quality = false;
  for (const PointGroup& group : groups) {
    const PointData& reference = data.points[group.points.back()];
    const RunSet reference_runs = reference.run_set();
    const double confidence =
        1.0 - (1.0 - kUsualConfidence) / static_cast<double>(group.points.size() - 1);
    ChartSeries series{.name = group.name};
    for (std::size_t index = group.points.size(); index-- > 0;) {
      const PointData& point = data.points[group.points[index]];
      has_quality = has_quality || point.perplexity || point.kl_divergence;
      AnalysisCell change;
      if (&point != &reference) {
        const Comparison comparison =
            compare_sets(reference_runs, point.run_set(), {.confidence = confidence});
        const MeasureChange& found = comparison.of(*find_measure(kOutputTokenMeasure));
        analysis.answers.push_back(sentence_of(point, reference, found));
        if (found.change) {
          change = {*found.change, found.half};
        }
      }
      const auto& weights = point.model.weight_bytes;
      table.rows.push_back({point.label, point.model.quantization, group.xs[index],
                            weights ? AnalysisCell{static_cast<double>(*weights)} : AnalysisCell{},
                            point.output_energy, change, point.output_speed,
                            cell_of(point.perplexity), cell_of(point.kl_divergence)});
      series.points.push_back({.x = group.xs[index],
                               .y = point.output_energy->value,
                               .y_half = point.output_energy->half(),
                               .label = point.model.quantization});
    }
    chart.series.push_back(std::move(series));
  }
  if (!has_quality) {
    analysis.lacks.emplace_back(
        "what fewer bits do to the answers was not measured: cheaper may hide worse. bench "
        "--quality FILE measures perplexity");
    for (std::vector<AnalysisCell>& row : table.rows) {
      row.resize(row.size() - 2);
    }
    table.columns.resize(table.columns.size() - 2);
  }
  analysis.tables.push_back(std::move(table));
  analysis.charts.push_back(std::move(chart));
  analysis.method.emplace_back(
      "Changes are those of enprof compare, against the point with the most bits: 95 % for all of "
      "a "
      "shape together (Bonferroni). Bits are those of all weights with their scales, over the "
      "parameters.");
  return analysis;
}

}  // namespace enprof
