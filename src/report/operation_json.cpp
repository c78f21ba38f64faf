#include "report/operation_json.hpp"

#include "report/roofline_section.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace enprof {
namespace {

Json token_number(std::int32_t token) { return token < 0 ? Json(nullptr) : Json(token); }

/// What all values have in common.
template <class Values>
Json place(const Values& values) {
  return {{"phase", to_string(values.phase)},
          {"token", token_number(values.token)},
          {"layer", layer_json(values.layer)}};
}

}  // namespace

Json activation_json(const ActivationValues& activation) {
  Json entry = place(activation);
  entry["component"] = activation.component;
  entry["mean"] = activation.mean;
  entry["standard_deviation"] = activation.standard_deviation;
  entry["maximum"] = activation.maximum;
  entry["sparsity"] = activation.sparsity;
  entry["kill_ratio"] = nullable(activation.kill_ratio);
  entry["variance_ratio"] = nullable(activation.variance_ratio);
  return entry;
}

Json attention_json(const AttentionValues& head) {
  Json entry = place(head);
  entry["head"] = head.head;
  entry["entropy_nats"] = head.entropy_nats;
  entry["maximum_weight"] = head.maximum_weight;
  entry["sparsity"] = head.sparsity;
  return entry;
}

Json expert_json(const ExpertActivation& activation) {
  Json entry = place(activation);
  entry["experts"] = activation.experts;
  entry["weights"] = activation.weights;
  entry["routing_entropy_nats"] = activation.routing_entropy_nats;
  return entry;
}

Json balance_json(const ExpertBalance& balance) {
  return {{"phase", to_string(balance.phase)},
          {"layer", layer_json(balance.layer)},
          {"positions", balance.positions},
          {"load_balance", nullable(balance.load_balance)}};
}

Json operation_kind_json(const OperationInfo& info) {
  return {{"layer", layer_json(info.layer)},
          {"component", info.component},
          {"op", info.op},
          {"name", info.name},
          {"shape", info.shape},
          {"flops", nullable(info.flops)},
          {"bytes", nullable(info.bytes)}};
}

Json layer_figure_json(const LayerFigure& layer) {
  return with_figure({{"phase", to_string(layer.phase)},
                      {"layer", layer_json(layer.layer)},
                      {"count", layer.count}},
                     layer.figure);
}

Json component_json(const ComponentFigure& component) {
  return with_figure({{"phase", to_string(component.phase)},
                      {"layer", layer_json(component.layer)},
                      {"component", component.component},
                      {"count", component.count},
                      {"flops", nullable(component.flops)},
                      {"bytes", nullable(component.bytes)}},
                     component.figure);
}

Json operation_json(const OperationFigure& operation) {
  const auto pj = [](const std::optional<double>& joules) {
    return joules ? Json(*joules * 1e12) : Json(nullptr);
  };
  const OperationCost cost = operation_cost(operation);
  return with_figure({{"phase", to_string(operation.phase)},
                      {"component", operation.component},
                      {"op", operation.op},
                      {"count", operation.count},
                      {"flops", nullable(operation.flops)},
                      {"bytes", nullable(operation.bytes)},
                      {"energy_per_flop_pj", pj(cost.joules_per_flop)},
                      {"energy_per_byte_pj", pj(cost.joules_per_byte)},
                      {"intensity_flop_per_byte", nullable(cost.flops_per_byte)}},
                     operation.figure);
}

void append_event(std::string& text, const OperationEvent& event) {
  const auto at = std::back_inserter(text);
  fmt::format_to(at, "[{},{},", to_ms(event.begin), to_ms(Nanoseconds{event.duration_ns}));
  if (const auto energy = event.energy()) {
    fmt::format_to(at, "{},{},", to_mj(*energy), event.operation);
  } else {
    fmt::format_to(at, "null,{},", event.operation);
  }
  if (event.token < 0) {
    fmt::format_to(at, "null,\"{}\"]", to_string(event.phase));
  } else {
    fmt::format_to(at, "{},\"{}\"]", event.token, to_string(event.phase));
  }
}

}  // namespace enprof
