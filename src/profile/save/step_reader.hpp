// Rebuilds a run from its steps.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "profile/save/run_step_data.hpp"
#include "profile/save/step_format.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace enprof {

/// What the steps of a run contain.
struct RecordedRun {
  ProfiledRun run;  ///< facts, without figures
  Recording recording;
  PowerEvidence power;
  Nanoseconds until{0};           ///< the end of the last step, since the run began
  bool complete = false;          ///< it has ended, and no step is missing
  std::size_t missing_steps = 0;  ///< steps that were lost or are damaged
  std::vector<Warning> warnings;  ///< added after the figures were computed
};

/// Takes steps in any order; a step that comes twice counts once. Steps are untrusted input: an
/// index out of range is an error, and so is a member or a column that is unknown or missing. A
/// damaged step is left out and counts as missing; the run is made of the others. Steps may be of
/// different versions (step_format.hpp).
class StepReader {
 public:
  /// `changes`: see ColumnChange; they outlive this.
  explicit StepReader(std::span<const ColumnChange> changes = kColumnChanges) : changes_(changes) {}

  /// Errors: malformed; unsupported, if a newer enprof wrote the step.
  [[nodiscard]] Result<void> add(std::string_view content);
  /// Errors: malformed, if the step with the facts of the run is damaged; not_found, if it is
  /// missing.
  [[nodiscard]] Result<RecordedRun> run();

 private:
  struct Step {
    StepJson json;
    int version = kStepVersion;
  };

  /// Errors: as those of run().
  [[nodiscard]] Result<RecordedRun> build(const std::map<std::int64_t, Step>& steps) const;

  std::span<const ColumnChange> changes_;
  std::map<std::int64_t, Step> steps_;
  std::optional<Step> complete_;
  std::size_t unreadable_ = 0;  // contents that add() refused
};

/// The version of a step's format. Errors: unsupported, if it is newer than this program's;
/// malformed.
[[nodiscard]] Result<int> step_version(const StepJson& step);

/// Computes the figures of such a run as those of any other run. An incomplete run gets the status
/// `interrupted` and a warning that says how long it is.
[[nodiscard]] ProfiledRun assemble_recorded(RecordedRun recorded);

}  // namespace enprof
