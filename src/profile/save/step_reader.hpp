// Puts a run together again from its steps.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "profile/save/run_step_data.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace enprof {

/// A run as its steps tell it.
struct RecordedRun {
  ProfiledRun run;  ///< facts; no figure
  Recording recording;
  PowerEvidence power;
  Nanoseconds until{0};           ///< how far it reaches
  bool complete = false;          ///< it was over, and nothing is missing
  std::size_t missing_steps = 0;  ///< between the first and the last
  std::vector<Warning> warnings;  ///< that came up after it was worked out
};

/// Takes steps in any order, from anywhere; the same one twice counts once. Trusts none of them: a
/// number that points nowhere is an error, never followed.
class StepReader {
 public:
  /// Errors: malformed.
  [[nodiscard]] Result<void> add(std::string_view content);
  /// Errors: malformed; not_found, where no step says whose they are.
  [[nodiscard]] Result<RecordedRun> run();

 private:
  std::map<std::int64_t, StepJson> steps_;
  std::optional<StepJson> complete_;
};

/// The figures of such a run, by the same way as those of a run that was not interrupted. What is
/// not complete becomes `interrupted`, with a warning that says how far it reaches.
[[nodiscard]] ProfiledRun assemble_recorded(RecordedRun recorded);

}  // namespace enprof
