// Which CPUs a thread runs on.
#pragma once

#include <span>
#include <vector>

namespace enprof::bench {

/// CPUs that the calling thread may use, ascending; empty where the system does not tell.
[[nodiscard]] std::vector<int> allowed_cpus();

/// Keeps the calling thread, and the threads and children that it makes from now on, to these CPUs.
/// False where the system does not allow it, or knows no such thing.
bool keep_thread_on(std::span<const int> cpus);

}  // namespace enprof::bench
