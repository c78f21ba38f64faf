// Layers, components, operations and sampled values of a run as JSON.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "report/json_figures.hpp"
#include "report/value_section.hpp"

#include <string>

namespace enprof {

/// `layer` is null outside the layers, `token` for the prompt.
[[nodiscard]] Json layer_figure_json(const LayerFigure& layer);
[[nodiscard]] Json component_json(const ComponentFigure& component);
[[nodiscard]] Json operation_json(const OperationFigure& operation);
[[nodiscard]] Json operation_kind_json(const OperationInfo& info);
[[nodiscard]] Json activation_json(const ActivationValues& activation);
[[nodiscard]] Json attention_json(const AttentionValues& head);
[[nodiscard]] Json expert_json(const ExpertActivation& activation);
[[nodiscard]] Json balance_json(const ExpertBalance& balance);

/// The names of the fields of an event, as JSON.
inline constexpr const char* kEventColumns =
    R"(["begin_ms", "duration_ms", "energy_mj", "operation", "token", "phase"])";
/// An event as an array in that order; `operation` is an index into the table's `operations`. Made
/// without a tree: there are millions of them.
void append_event(std::string& text, const OperationEvent& event);

}  // namespace enprof
