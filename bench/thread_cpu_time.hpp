// CPU time of this process by thread.
#pragma once

#include <map>
#include <set>
#include <string>

namespace enprof::bench {

/// The process's threads; empty if the system does not say.
[[nodiscard]] std::set<int> thread_ids();

/// The CPU time in seconds that all other threads have used since each began, by name; threads that
/// have ended do not count. Empty if the system does not say.
[[nodiscard]] std::map<std::string, double> cpu_seconds_of_other_threads(
    const std::set<int>& left_out);

}  // namespace enprof::bench
