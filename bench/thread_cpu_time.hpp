// CPU time by thread, of this process.
#pragma once

#include <map>
#include <set>
#include <string>

namespace enprof::bench {

/// The threads that there are; empty where the system does not tell.
[[nodiscard]] std::set<int> thread_ids();

/// What all threads but these have used since each began, in seconds, by name; threads that have
/// ended do not count. Empty where the system does not tell.
[[nodiscard]] std::map<std::string, double> cpu_seconds_of_other_threads(
    const std::set<int>& left_out);

}  // namespace enprof::bench
