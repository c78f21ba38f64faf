// What several runs of one command say together.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/profiled_run.hpp"

#include "report/text_table.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// One of the runs.
struct Repeat {
  std::string run_id;
  RunStatus status = RunStatus::completed;
  std::string ended;  ///< "exit code 0", "signal 9 (Killed)", "timeout"
  int exit_code = 0;
  std::optional<VerdictLevel> verdict;
  std::optional<Method> method;
  Nanoseconds duration{0};
  std::optional<Joules> energy;
  std::optional<Joules> dynamic;
  std::optional<Joules> process_dynamic;
  std::optional<Watts> mean_power;
  std::optional<Watts> peak_power;
};

[[nodiscard]] Repeat repeat_of(const ProfiledRun& run, int exit_code);

/// One line, for when the run has ended: "3.210 s · 152.3 J · 47.44 W · exit code 0".
[[nodiscard]] std::string repeat_line(const Repeat& repeat);

/// Means, spreads and outliers. Runs that were not completed are named, and not in them. `asked`:
/// how many runs were wanted.
[[nodiscard]] std::string repeats_report(const std::string& command,
                                         const std::vector<Repeat>& repeats, std::size_t asked,
                                         const Terminal& terminal);
/// The same as JSON, with each run. `words`: the command and its arguments.
[[nodiscard]] std::string repeats_json(const std::vector<std::string>& words,
                                       const std::vector<Repeat>& repeats, std::size_t asked);

}  // namespace enprof
