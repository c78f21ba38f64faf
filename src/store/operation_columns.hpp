// As row_columns.hpp, for what the deeper depths add: layers, components, operations and values.
#pragma once

#include "enprof/model/operation.hpp"
#include "enprof/model/profiled_run.hpp"

#include "store/row_columns.hpp"

namespace enprof {

inline constexpr auto kReadingColumns = [](auto& column, auto& row) {
  auto& [domain, quantity, at, value] = row;
  column("domain", domain);
  column.coded("quantity", quantity);
  column("at_ns", at);
  column("value", value);
};

inline constexpr auto kLayerColumns = [](auto& column, auto& row) {
  auto& [phase, layer, count, figure] = row;
  column("phase", phase);
  column.index_or_null("layer", layer);
  column("count", count);
  kFigureColumns(column, figure);
};

inline constexpr auto kComponentColumns = [](auto& column, auto& row) {
  auto& [phase, layer, component, count, figure, flops, bytes] = row;
  column("phase", phase);
  column.index_or_null("layer", layer);
  column.coded("component", component);
  column("count", count);
  kFigureColumns(column, figure);
  column("flops", flops);
  column("bytes", bytes);
};

inline constexpr auto kOperationClassColumns = [](auto& column, auto& row) {
  auto& [phase, component, op, count, figure, flops, bytes] = row;
  column("phase", phase);
  column.coded("component", component);
  column.coded("op", op);
  column("count", count);
  kFigureColumns(column, figure);
  column("flops", flops);
  column("bytes", bytes);
};

inline constexpr auto kOperationKindColumns = [](auto& column, auto& row) {
  auto& [layer, component, op, name, shape, flops, bytes] = row;
  column.index_or_null("layer", layer);
  column.coded("component", component);
  column.coded("op", op);
  column.coded("name", name);
  column("shape_0", shape[0]);
  column("shape_1", shape[1]);
  column("shape_2", shape[2]);
  column("shape_3", shape[3]);
  column("flops", flops);
  column("bytes", bytes);
};

/// The lists of values have tables of their own.
inline constexpr auto kSampledValuesColumns = [](auto& column, auto& row) {
  auto& [every, passes, sparsity_threshold, activations, attention, experts] = row;
  const auto elsewhere = [](const auto&...) {};
  elsewhere(activations, attention, experts);
  column("every", every);
  column("passes", passes);
  column("sparsity_threshold", sparsity_threshold);
};

inline constexpr auto kActivationColumns = [](auto& column, auto& row) {
  auto& [phase, token, layer, component, mean, standard_deviation, maximum, sparsity, kill_ratio,
         variance_ratio] = row;
  column.coded("phase", phase);
  column.index_or_null("token", token);
  column.index_or_null("layer", layer);
  column.coded("component", component);
  column.number_or_null("mean", mean);
  column.number_or_null("standard_deviation", standard_deviation);
  column.number_or_null("maximum", maximum);
  column.number_or_null("sparsity", sparsity);
  column("kill_ratio", kill_ratio);
  column("variance_ratio", variance_ratio);
};

inline constexpr auto kAttentionColumns = [](auto& column, auto& row) {
  auto& [phase, token, layer, head, entropy_nats, maximum_weight, sparsity] = row;
  column.coded("phase", phase);
  column.index_or_null("token", token);
  column("layer", layer);
  column("head", head);
  column.number_or_null("entropy_nats", entropy_nats);
  column.number_or_null("maximum_weight", maximum_weight);
  column.number_or_null("sparsity", sparsity);
};

/// The experts and their weights have a table of their own.
inline constexpr auto kRoutingColumns = [](auto& column, auto& row) {
  auto& [phase, token, layer, experts, weights, routing_entropy_nats] = row;
  const auto elsewhere = [](const auto&...) {};
  elsewhere(experts, weights);
  column.coded("phase", phase);
  column.index_or_null("token", token);
  column("layer", layer);
  column.number_or_null("routing_entropy_nats", routing_entropy_nats);
};

}  // namespace enprof
