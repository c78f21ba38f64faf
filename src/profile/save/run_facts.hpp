// The facts of a run, as opposed to the figures computed from them.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "profile/save/json_columns.hpp"
#include "profile/save/step_format.hpp"

namespace enprof {

/// What the caller and the engine say of a run: identity, prompt, model, warnings so far; no figure
/// and no value. As JSON, exact.
[[nodiscard]] StepJson facts_to_json(const ProfiledRun& run);
/// Throws JsonError.
void facts_from_json(const JsonNode& node, StepFormat format, ProfiledRun& run);

[[nodiscard]] StepJson values_to_json(const SampledValues& values);
/// Throws JsonError.
[[nodiscard]] SampledValues values_from_json(const JsonNode& node, StepFormat format);
/// Adds values that were looked at later to those of before.
void add_values(SampledValues& kept, SampledValues more);

/// What is known of the sensors besides what they say: sources, domains, baseline, interval.
[[nodiscard]] StepJson sensors_to_json(const PowerEvidence& power);
/// Throws JsonError.
void sensors_from_json(const JsonNode& node, StepFormat format, PowerEvidence& power);

[[nodiscard]] StepJson plan_to_json(const OperationPlan& plan);
/// Throws JsonError.
[[nodiscard]] OperationPlan plan_from_json(const JsonNode& node, StepFormat format);

}  // namespace enprof
