// The command that runs powermetrics, and the sudoers rule that lets a user run it.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/child_process.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A command line that runs powermetrics, usually through sudo.
struct PowermetricsCommand {
  std::vector<std::string> words;
  std::vector<std::string> allowed;  ///< the part that root runs, from the program's full path
  Nanoseconds period{0};             ///< between samples: the value of -i, at most kLongestPeriod

  /// The first sample must come within PowermetricsSource::kProbePatience.
  static constexpr Nanoseconds kLongestPeriod = std::chrono::seconds{1};
};

/// sudo -n /usr/bin/powermetrics -f plist -i 100 --samplers cpu_power,gpu_power,thermal
///
/// The interval is fixed because the sudoers entry names it: an entry for any interval would need a
/// wildcard, which would allow every other argument too.
[[nodiscard]] std::vector<std::string> default_powermetrics_command();

/// Finds the program in a command; an empty command means the default. Runs nothing. Errors:
/// not_found if this machine has no powermetrics or no sudo; invalid_argument.
[[nodiscard]] Result<PowermetricsCommand> find_powermetrics(std::vector<std::string> words);

/// The line of a sudoers file that lets a user run exactly this command without a password, and
/// nothing else. Characters with a meaning in that file are escaped (sudoers(5): , : = and \).
[[nodiscard]] std::string sudoers_line(const PowermetricsCommand& command, std::string_view user);

/// Why the program ended without an answer: permission_denied, with the sudoers line for the
/// present user; not_found; or process_exited, with how it ended and its error output.
[[nodiscard]] Error explain_exit(const PowermetricsCommand& command, const ExitStatus& status,
                                 std::string_view errors);

}  // namespace enprof
