// Warnings of a run about its figures: what they lack, and what may be wrong with them.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/power_evidence.hpp"
#include "record/recording.hpp"

#include <cstddef>

namespace enprof {

/// What was found while the figures of a run were made.
struct AssemblyFindings {
  Watts idle_power;                  ///< of the roots whose energy is in the totals
  bool has_roots = false;            ///< there is a domain that totals are made of
  std::size_t rejected_windows = 0;  ///< without a duration or without a finite energy
  std::size_t mended_spans = 0;      ///< cut, as they overlapped others
};

/// Adds the warnings of components "power" and "profile" to a run whose figures are complete.
void add_figure_warnings(const RecordingView& recording, const PowerEvidence& power,
                         const AssemblyFindings& findings, ProfiledRun& run);

}  // namespace enprof
