#include "report/operation_json.hpp"

#include "base/printable.hpp"
#include "report/component_section.hpp"
#include "report/roofline_section.hpp"
#include "report/value_section.hpp"

#include <fmt/format.h>

#include <iterator>

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

Json activations_json(const SampledValues& values) {
  Json list = Json::array();
  for (const ActivationValues& activation : values.activations) {
    Json entry = place(activation);
    entry["component"] = activation.component;
    entry["mean"] = activation.mean;
    entry["standard_deviation"] = activation.standard_deviation;
    entry["maximum"] = activation.maximum;
    entry["sparsity"] = activation.sparsity;
    entry["kill_ratio"] = nullable(activation.kill_ratio);
    entry["variance_ratio"] = nullable(activation.variance_ratio);
    list.push_back(std::move(entry));
  }
  return list;
}

Json attention_json(const SampledValues& values) {
  Json list = Json::array();
  for (const AttentionValues& head : values.attention) {
    Json entry = place(head);
    entry["head"] = head.head;
    entry["entropy_nats"] = head.entropy_nats;
    entry["maximum_weight"] = head.maximum_weight;
    entry["sparsity"] = head.sparsity;
    list.push_back(std::move(entry));
  }
  return list;
}

Json experts_json(const SampledValues& values) {
  Json list = Json::array();
  for (const ExpertActivation& activation : values.experts) {
    Json entry = place(activation);
    entry["experts"] = activation.experts;
    entry["weights"] = activation.weights;
    entry["routing_entropy_nats"] = activation.routing_entropy_nats;
    list.push_back(std::move(entry));
  }
  return list;
}

Json balances_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const ExpertBalance& balance : expert_balances(run)) {
    list.push_back({{"phase", to_string(balance.phase)},
                    {"layer", layer_json(balance.layer)},
                    {"positions", balance.positions},
                    {"load_balance", nullable(balance.load_balance)}});
  }
  return list;
}

Json info_json(const OperationInfo& info) {
  return {{"layer", layer_json(info.layer)},
          {"component", info.component},
          {"op", info.op},
          {"name", info.name},
          {"shape", info.shape},
          {"flops", nullable(info.flops)},
          {"bytes", nullable(info.bytes)}};
}

}  // namespace

Json layers_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const LayerFigure& layer : run.layers) {
    list.push_back(with_figure({{"phase", to_string(layer.phase)},
                                {"layer", layer_json(layer.layer)},
                                {"count", layer.count}},
                               layer.figure));
  }
  return list;
}

Json components_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const ComponentFigure& component : run.components) {
    list.push_back(with_figure({{"phase", to_string(component.phase)},
                                {"layer", layer_json(component.layer)},
                                {"component", component.component},
                                {"count", component.count},
                                {"flops", nullable(component.flops)},
                                {"bytes", nullable(component.bytes)}},
                               component.figure));
  }
  return list;
}

Json operations_json(const ProfiledRun& run) {
  const auto pj = [](const std::optional<double>& joules) {
    return joules ? Json(*joules * 1e12) : Json(nullptr);
  };
  Json list = Json::array();
  for (const OperationFigure& operation : run.operations) {
    const OperationCost cost = operation_cost(operation);
    list.push_back(with_figure({{"phase", to_string(operation.phase)},
                                {"component", operation.component},
                                {"op", operation.op},
                                {"count", operation.count},
                                {"flops", nullable(operation.flops)},
                                {"bytes", nullable(operation.bytes)},
                                {"energy_per_flop_pj", pj(cost.joules_per_flop)},
                                {"energy_per_byte_pj", pj(cost.joules_per_byte)},
                                {"intensity_flop_per_byte", nullable(cost.flops_per_byte)}},
                               operation.figure));
  }
  return list;
}

Json values_json(const ProfiledRun& run) {
  const SampledValues& values = run.values;
  return {{"every", values.every},
          {"passes", values.passes},
          {"sparsity_threshold", values.sparsity_threshold},
          {"activations", activations_json(values)},
          {"attention", attention_json(values)},
          {"experts", experts_json(values)},
          {"expert_balance", balances_json(run)}};
}

std::string operation_table_text(const ProfiledRun& run) {
  const auto compact = [](const Json& json) {
    return printable_json(json.dump(-1, ' ', false, Json::error_handler_t::replace));
  };
  std::string out = fmt::format("{{\n    \"coverage\": {},\n    \"operations\": [",
                                compact(nullable(operation_coverage(run))));
  std::string_view separator = "\n      ";
  for (const OperationInfo& info : run.operation_table.operations) {
    out += separator;
    out += compact(info_json(info));
    separator = ",\n      ";
  }
  out += run.operation_table.operations.empty() ? "]" : "\n    ]";
  out +=
      ",\n    \"event_columns\": [\"begin_ms\", \"duration_ms\", \"energy_mj\", \"operation\", "
      "\"token\", \"phase\"],\n    \"events\": [";
  separator = "\n      ";
  const auto at = std::back_inserter(out);
  for (const OperationEvent& event : run.operation_table.events) {
    fmt::format_to(at, "{}[{},{},", separator, to_ms(event.begin),
                   to_ms(Nanoseconds{event.duration_ns}));
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
    separator = ",\n      ";
  }
  out += run.operation_table.events.empty() ? "]\n  }" : "\n    ]\n  }";
  return out;
}

}  // namespace enprof
