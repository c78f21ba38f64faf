// The CPUs that a thread may run on.
#pragma once

#include <span>
#include <vector>

namespace enprof::bench {

/// CPUs that the calling thread may use, ascending; empty if the system does not say.
[[nodiscard]] std::vector<int> allowed_cpus();

/// Restricts the calling thread, and the threads and children that it starts from now on, to these
/// CPUs. False if the system refuses, or cannot do it.
bool keep_thread_on(std::span<const int> cpus);

}  // namespace enprof::bench
