#include "thread_cpus.hpp"

#ifdef __linux__
#include <cstddef>
#include <sched.h>
#endif

namespace enprof::bench {

#ifdef __linux__

std::vector<int> allowed_cpus() {
  std::vector<int> result;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) {
        result.push_back(cpu);
      }
    }
  }
  return result;
}

bool keep_thread_on(std::span<const int> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

#else

std::vector<int> allowed_cpus() { return {}; }
bool keep_thread_on(std::span<const int> /*cpus*/) { return false; }

#endif

}  // namespace enprof::bench
