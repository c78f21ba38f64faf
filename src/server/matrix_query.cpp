#include "server/matrix_query.hpp"

#include "base/choices.hpp"
#include "server/known_sum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace enprof {
namespace {

using Cell = LayerComponentMatrix::Cell;

std::optional<double> ratio(const std::optional<Joules>& energy, const std::optional<double>& by,
                            double scale) {
  return energy && by && *by > 0.0 ? std::optional{energy->value() / *by * scale} : std::nullopt;
}

struct Metric {
  std::string_view name;
  std::string_view unit;
  std::optional<double> (*of)(const Cell& cell);
};

constexpr double kPico = 1e12;
constexpr std::array<Metric, 5> kMetrics{{
    {"energy", "mJ",
     [](const Cell& cell) {
       return cell.energy ? std::optional{to_mj(*cell.energy)} : std::nullopt;
     }},
    {"duration", "ms", [](const Cell& cell) { return std::optional{to_ms(cell.duration)}; }},
    {"power", "mW",
     [](const Cell& cell) {
       return cell.energy && cell.duration > Nanoseconds{0}
                  ? std::optional{to_mw(*cell.energy / cell.duration)}
                  : std::nullopt;
     }},
    {"pj_per_byte", "pJ/byte",
     [](const Cell& cell) { return ratio(cell.energy, cell.bytes, kPico); }},
    {"pj_per_flop", "pJ/FLOP",
     [](const Cell& cell) { return ratio(cell.energy, cell.flops, kPico); }},
}};

}  // namespace

std::span<const std::string_view> metric_names() {
  static constexpr std::array<std::string_view, 12> kNames{
      "energy",      "duration",        "power",          "pj_per_byte",
      "pj_per_flop", "activation_mean", "activation_std", "activation_max",
      "sparsity",    "kill_ratio",      "variance_ratio", "attention_entropy"};
  return kNames;
}

Result<MetricMatrix> metric_matrix(const LayerComponentMatrix& cells, std::string_view name) {
  const auto* const metric = std::ranges::find(kMetrics, name, &Metric::name);
  if (metric == kMetrics.end()) {
    return fail(ErrorCode::invalid_argument, fmt::format("There is no metric '{}'", name),
                say_choices(name, metric_names()));
  }
  MetricMatrix result{.metric = std::string(name),
                      .unit = std::string(metric->unit),
                      .layers = cells.layers,
                      .components = cells.components,
                      .values = {}};
  for (const auto& cell : cells.cells) {
    result.values.push_back(cell ? metric->of(*cell) : std::nullopt);
  }
  return result;
}

LayerComponentMatrix cells_of_passes(const OperationSums& sums) {
  const auto& operations = sums.operations;
  std::set<std::int32_t> layers;
  LayerComponentMatrix result;
  std::map<std::string_view, std::size_t> columns;
  for (const OperationInfo& operation : operations) {
    layers.insert(operation.layer);
    if (columns.try_emplace(operation.component, columns.size()).second) {
      result.components.push_back(operation.component);
    }
  }
  result.layers.assign(layers.begin(), layers.end());
  result.cells.resize(result.layers.size() * result.components.size());
  std::vector<std::size_t> places;  // the cell of each operation
  places.reserve(operations.size());
  for (const OperationInfo& operation : operations) {
    const auto row = std::ranges::lower_bound(result.layers, operation.layer);
    places.push_back(static_cast<std::size_t>(row - result.layers.begin()) *
                         result.components.size() +
                     columns[operation.component]);
  }
  for (const OperationSum& sum : sums.sums) {
    const OperationInfo& operation = operations[sum.operation];
    auto& cell = result.cells[places[sum.operation]];
    if (!cell) {
      cell = Cell{.energy = Joules{0}, .flops = 0.0, .bytes = 0.0};
    }
    cell->count += sum.count;
    cell->duration += sum.duration;
    add_known(cell->energy, sum.energy);
    add_known(cell->flops, times(operation.flops, sum.count));
    add_known(cell->bytes, times(operation.bytes, sum.count));
  }
  return result;
}

std::optional<MetricMatrix> value_matrix(const SampledValues& values, std::string_view metric) {
  using Pick = std::optional<double> (*)(const ActivationValues&);
  struct ValueMetric {
    std::string_view name;
    std::string_view unit;
    Pick pick;
  };
  static constexpr std::array<ValueMetric, 6> kValueMetrics{{
      {"activation_mean", "1", [](const ActivationValues& v) { return std::optional{v.mean}; }},
      {"activation_std", "1",
       [](const ActivationValues& v) { return std::optional{v.standard_deviation}; }},
      {"activation_max", "1", [](const ActivationValues& v) { return std::optional{v.maximum}; }},
      {"sparsity", "ratio", [](const ActivationValues& v) { return std::optional{v.sparsity}; }},
      {"kill_ratio", "ratio", [](const ActivationValues& v) { return v.kill_ratio; }},
      {"variance_ratio", "ratio", [](const ActivationValues& v) { return v.variance_ratio; }},
  }};
  struct Sum {
    double total = 0.0;
    std::size_t count = 0;
  };
  std::map<std::pair<std::int32_t, std::string>, Sum> sums;
  std::set<std::int32_t> layers;
  MetricMatrix result{.metric = std::string(metric)};
  const auto take = [&](std::int32_t layer, const std::string& component, double value) {
    Sum& sum = sums[{layer, component}];
    sum.total += value;
    ++sum.count;
    layers.insert(layer);
    if (std::ranges::find(result.components, component) == result.components.end()) {
      result.components.push_back(component);
    }
  };
  if (metric == "attention_entropy") {
    result.unit = "nat";
    for (const AttentionValues& head : values.attention) {
      take(head.layer, fmt::format("head {}", head.head), head.entropy_nats);
    }
  } else {
    const auto* const known = std::ranges::find(kValueMetrics, metric, &ValueMetric::name);
    if (known == kValueMetrics.end()) {
      return std::nullopt;
    }
    result.unit = known->unit;
    for (const ActivationValues& activation : values.activations) {
      if (const auto value = known->pick(activation)) {
        take(activation.layer, activation.component, *value);
      }
    }
  }
  result.layers.assign(layers.begin(), layers.end());
  for (const std::int32_t layer : result.layers) {
    for (const std::string& component : result.components) {
      const auto sum = sums.find({layer, component});
      result.values.push_back(
          sum == sums.end()
              ? std::nullopt
              : std::optional{sum->second.total / static_cast<double>(sum->second.count)});
    }
  }
  return result;
}

}  // namespace enprof
