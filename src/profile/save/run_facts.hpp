// What a run is told, as opposed to what is worked out.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "profile/save/json_columns.hpp"

namespace enprof {

/// What the caller and the engine say of a run: identity, prompt, model, warnings so far; no figure
/// and no value. As JSON, exact.
[[nodiscard]] StepJson facts_to_json(const ProfiledRun& run);
/// Throws std::invalid_argument or nlohmann::json::exception.
void facts_from_json(const StepJson& json, ProfiledRun& run);

[[nodiscard]] StepJson values_to_json(const SampledValues& values);
/// Throws std::invalid_argument or nlohmann::json::exception.
[[nodiscard]] SampledValues values_from_json(const StepJson& json);
/// Adds values that were looked at later to those of before.
void add_values(SampledValues& kept, SampledValues more);

/// What is known of the sensors besides what they say: sources, domains, baseline, interval.
[[nodiscard]] StepJson sensors_to_json(const PowerEvidence& power);
/// Throws std::invalid_argument or nlohmann::json::exception.
void sensors_from_json(const StepJson& json, PowerEvidence& power);

[[nodiscard]] StepJson plan_to_json(const OperationPlan& plan);
/// Throws std::invalid_argument or nlohmann::json::exception.
[[nodiscard]] OperationPlan plan_from_json(const StepJson& json);

}  // namespace enprof
