// CPU time by thread, of this process.
#pragma once

#include <set>

namespace enprof::bench {

/// The threads that there are; empty where the system does not tell.
[[nodiscard]] std::set<int> thread_ids();

/// What all threads but these have used since each began, in seconds; threads that have ended do
/// not count. 0 where the system does not tell.
[[nodiscard]] double cpu_seconds_of_other_threads(const std::set<int>& left_out);

}  // namespace enprof::bench
