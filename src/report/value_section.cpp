#include "report/value_section.hpp"

#include "record/tensor_statistics.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace enprof {
namespace {

/// Mean and extremes of values, with the layers of the extremes.
class Summary {
 public:
  void add(double value, std::int32_t layer) {
    sum_ += value;
    if (count_ == 0 || value < least_.first) {
      least_ = {value, layer};
    }
    if (count_ == 0 || value > most_.first) {
      most_ = {value, layer};
    }
    ++count_;
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] double mean() const { return sum_ / static_cast<double>(count_); }
  /// "mean 1.23, 0.4 (layer 3) to 2.1 (layer 7)"
  [[nodiscard]] std::string text() const {
    const auto extreme = [](const std::pair<double, std::int32_t>& value) {
      return value.second == OperationInfo::kNoLayer
                 ? fmt::format("{:.3g}", value.first)
                 : fmt::format("{:.3g} (layer {})", value.first, value.second);
    };
    return count_ == 0
               ? std::string{}
               : fmt::format("mean {:.3g}, {} to {}", mean(), extreme(least_), extreme(most_));
  }

 private:
  double sum_ = 0.0;
  std::size_t count_ = 0;
  std::pair<double, std::int32_t> least_;
  std::pair<double, std::int32_t> most_;
};

}  // namespace

ExpertCount::ExpertCount(std::optional<std::int32_t> experts)
    // Expert indices have 16 bits; the model's number may be anything in an imported run.
    : experts_(static_cast<std::size_t>(std::clamp(experts.value_or(0), 0, 0x1'0000))) {}

void ExpertCount::add(const ExpertActivation& activation) {
  Layer& layer = layers_[{activation.phase, activation.layer}];
  layer.chosen.resize(std::max(layer.chosen.size(), experts_));
  ++layer.positions;
  for (const std::uint16_t expert : activation.experts) {
    layer.chosen.resize(std::max<std::size_t>(layer.chosen.size(), expert + std::size_t{1}));
    ++layer.chosen[expert];
  }
}

std::vector<ExpertBalance> ExpertCount::balances() const {
  std::vector<ExpertBalance> result;
  result.reserve(layers_.size());
  for (const auto& [key, layer] : layers_) {
    result.push_back({.phase = key.first,
                      .layer = key.second,
                      .positions = layer.positions,
                      .load_balance = expert_load_balance(layer.chosen)});
  }
  return result;
}

std::vector<ExpertBalance> expert_balances(const ProfiledRun& run) {
  ExpertCount count(run.model.experts);
  for (const ExpertActivation& activation : run.values.experts) {
    count.add(activation);
  }
  return count.balances();
}

void write_values(ReportPage& page, const ProfiledRun& run) {
  const SampledValues& values = run.values;
  if (values.passes == 0) {
    return;
  }
  page.heading(fmt::format("Values, of {} sampled {} (one decode pass in {})", values.passes,
                           values.passes == 1 ? "pass" : "passes", values.every));
  Summary sparsity;
  Summary kill_ratio;
  Summary variance_ratio;
  const auto add = [](Summary& summary, const std::optional<double>& value, std::int32_t layer) {
    if (value) {
      summary.add(*value, layer);
    }
  };
  for (const ActivationValues& activation : values.activations) {
    sparsity.add(activation.sparsity, activation.layer);
    add(kill_ratio, activation.kill_ratio, activation.layer);
    add(variance_ratio, activation.variance_ratio, activation.layer);
  }
  Summary entropy;
  Summary maximum_weight;
  for (const AttentionValues& head : values.attention) {
    entropy.add(head.entropy_nats, head.layer);
    maximum_weight.add(head.maximum_weight, head.layer);
  }
  Summary routing;
  for (const ExpertActivation& activation : values.experts) {
    routing.add(activation.routing_entropy_nats, activation.layer);
  }
  Summary balance;
  for (const ExpertBalance& layer : expert_balances(run)) {
    add(balance, layer.load_balance, layer.layer);
  }

  using Align = TextTable::Align;
  TextTable table({Align::left, Align::left});
  std::vector<std::pair<std::string, std::string>> texts;
  const auto row = [&](const std::string& name, const Summary& summary) {
    if (!summary.empty()) {
      table.row({name, summary.text()});
      texts.emplace_back(name, summary.text());
    }
  };
  row(fmt::format("sparsity, |x| < {:g}", values.sparsity_threshold), sparsity);
  row("attention entropy, nats", entropy);
  row("attention maximum", maximum_weight);
  row("MLP kill ratio", kill_ratio);
  row("norm variance ratio", variance_ratio);
  row("routing entropy, nats", routing);
  row("expert load balance", balance);
  if (table.width() <= page.terminal().width) {
    page.table(table);
    return;
  }
  for (const auto& [name, text] : texts) {  // one below the other
    page.add("  " + name + "\n    " + wrap(text, page.terminal().width, 4) + "\n");
  }
}

}  // namespace enprof
