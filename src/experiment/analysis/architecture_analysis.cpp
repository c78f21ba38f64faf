#include "experiment/analysis/architecture_analysis.hpp"

#include "experiment/analysis/analysis_text.hpp"
#include "model/component_family.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 7> kFamilies{
    "attention", "MLP", "recurrent", "norms", "residual", "embedding, output", kOtherFamily};
constexpr std::array<std::string_view, kFamilies.size()> kKeys{
    "attention", "mlp", "recurrent", "norms", "residual", "embedding_and_output", "other"};
/// Components below this share in all points are not listed.
constexpr double kSmall = 0.01;

std::map<std::string_view, double> families_of(const PointData& point) {
  std::map<std::string_view, double> sums;
  for (const ComponentEnergy& each : point.components) {
    sums[component_family(each.component)] += each.energy.value;
  }
  return sums;
}

}  // namespace

Analysis analyze_architecture(const ExperimentData& data) {
  Analysis analysis{.question = "Which parts of a model draw its energy?"};
  if (const std::string lacks = lacks_energy(data, 1); !lacks.empty()) {
    analysis.lacks.push_back(lacks);
    return analysis;
  }
  const std::vector<std::string> labels = short_labels(data);
  AnalysisTable families{.title = "Families of components, each output token",
                         .columns = {{"point", "point"}}};
  AnalysisTable components{.title = "Components, each output token",
                           .columns = {{"point", "point"},
                                       {"component", "component"},
                                       {"energy", "energy", CellKind::energy},
                                       {"share", "share", CellKind::share}}};
  std::array<ChartSeries, kFamilies.size()> bars;
  std::array<double, kFamilies.size()> most{};
  Chart chart{.title = "Components of an output token",
              .x = {},
              .y = {.title = "energy per output token", .unit = "J"}};
  std::vector<std::map<std::string_view, double>> all;
  std::vector<std::size_t> shown;
  std::vector<std::string> without;
  for (std::size_t index = 0; index < data.points.size(); ++index) {
    const PointData& point = data.points[index];
    if (point.components.empty()) {
      without.push_back(labels[index]);
      continue;
    }
    all.push_back(families_of(point));
    shown.push_back(index);
    for (std::size_t family = 0; family < kFamilies.size(); ++family) {
      most[family] = std::max(most[family], all.back()[kFamilies[family]]);
    }
  }
  if (shown.empty()) {
    analysis.lacks.emplace_back("runs have no components at this depth: --depth module");
    return analysis;
  }
  for (std::size_t family = 0; family < kFamilies.size(); ++family) {
    if (most[family] > 0.0) {
      families.columns.push_back(
          {std::string{kKeys[family]}, std::string{kFamilies[family]}, CellKind::energy});
    }
    bars[family] = {.name = std::string{kFamilies[family]}, .kind = SeriesKind::bars};
  }
  for (std::size_t each = 0; each < shown.size(); ++each) {
    const PointData& point = data.points[shown[each]];
    std::vector<AnalysisCell> row{point.label};
    double whole = 0.0;
    std::size_t largest = 0;
    for (std::size_t family = 0; family < kFamilies.size(); ++family) {
      const double energy = all[each][kFamilies[family]];
      whole += energy;
      largest = energy > all[each][kFamilies[largest]] ? family : largest;
      if (most[family] > 0.0) {
        row.emplace_back(energy);
      }
      bars[family].points.push_back({.x = static_cast<double>(each), .y = energy});
    }
    families.rows.push_back(std::move(row));
    chart.categories.push_back(labels[shown[each]]);
    analysis.answers.push_back(
        fmt::format("{}: {:.0f} % of an output token is {}; the largest component is {} with {}.",
                    labels[shown[each]], 100.0 * all[each][kFamilies[largest]] / whole,
                    kFamilies[largest], shown_component(point.components.front().component),
                    value_text(CellKind::share, point.components.front().share.value,
                               point.components.front().share.half())));
    for (const ComponentEnergy& component : point.components) {
      if (component.share.value >= kSmall) {
        components.rows.push_back({point.label, shown_component(component.component),
                                   AnalysisCell{component.energy.value, component.energy.half()},
                                   AnalysisCell{component.share.value, component.share.half()}});
      }
    }
  }
  for (std::size_t family = 0; family < kFamilies.size(); ++family) {
    if (most[family] > 0.0) {
      chart.series.push_back(std::move(bars[family]));
    }
  }
  if (!without.empty()) {
    analysis.lacks.push_back(fmt::format("components of {}: --depth module", list_text(without)));
  }
  analysis.tables = {std::move(families), std::move(components)};
  analysis.charts.push_back(std::move(chart));
  analysis.method.emplace_back(
      "Energy of the decode phase, attributed to the components and summed over the layers, over "
      "the tokens of that phase. Components below 1 % are not listed. ± is the 95 % interval of "
      "the spread between runs.");
  return analysis;
}

}  // namespace enprof
