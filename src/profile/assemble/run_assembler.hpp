// Makes the figures of a run from its recorded spans and the sensors' windows.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/extra_groups.hpp"
#include "profile/assemble/power_evidence.hpp"
#include "record/recording.hpp"

#include <cstddef>

namespace enprof {

/// Fills in phases, sections, tokens, layers, components, operations, totals and power of a run.
/// Keeps the fields that the caller has set (identity, prompt, model, prompt_tokens, economics) and
/// adds warnings. Returns the number of layer timings in the prefill. `extra` may be null.
std::size_t assemble_run(const RecordingView& recording, const PowerEvidence& power,
                         ProfiledRun& run, ExtraGroups* extra = nullptr);

}  // namespace enprof
