// How powermetrics is run, and the rule that lets a user run it.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/child_process.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A command line that runs powermetrics, as a rule through sudo.
struct PowermetricsCommand {
  std::vector<std::string> words;
  std::vector<std::string> allowed;  ///< what root runs: from the program's full path on
  Nanoseconds period{0};             ///< between samples: its -i, at most kLongestPeriod

  /// A first sample must have come before whoever asks for a sensor loses his patience
  /// (PowermetricsSource::kProbePatience).
  static constexpr Nanoseconds kLongestPeriod = std::chrono::seconds{1};
};

/// sudo -n /usr/bin/powermetrics -f plist -i 100 --samplers cpu_power,gpu_power,thermal
///
/// The interval is fixed, because the sudoers entry names it: an entry for any interval needs a
/// wildcard, and a wildcard lets in every other argument too.
[[nodiscard]] std::vector<std::string> default_powermetrics_command();

/// Finds the program in a command; an empty one stands for the default. Runs nothing. Errors:
/// not_found, where this machine has no powermetrics, or no sudo; invalid_argument.
[[nodiscard]] Result<PowermetricsCommand> find_powermetrics(std::vector<std::string> words);

/// The line of a sudoers file that lets a user run exactly this, and nothing else, without a
/// password. Characters that mean something there are escaped (sudoers(5): , : = and \).
[[nodiscard]] std::string sudoers_line(const PowermetricsCommand& command, std::string_view user);

/// Why the program ended without an answer: permission_denied, with that line for the user who runs
/// us; not_found; or process_exited, with how it ended and what it said.
[[nodiscard]] Error explain_exit(const PowermetricsCommand& command, const ExitStatus& status,
                                 std::string_view errors);

}  // namespace enprof
