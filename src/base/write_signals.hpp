// The signals of a failed write, which this program ignores and programs that it starts may not.
#pragma once

#include <csignal>

namespace enprof {

/// Ignores SIGPIPE and SIGXFSZ: a closed pipe, or a file at its limit (ulimit -f), is then a failed
/// write instead of the end of the program. Call it once, before any program is started.
void ignore_write_signals() noexcept;

/// Those of the two that we ignore and whoever started us did not: a program that is started in our
/// place gets back their default action.
[[nodiscard]] sigset_t signals_ignored_by_us() noexcept;

}  // namespace enprof
