// CPU time of a thread.
#pragma once

#include "enprof/base/clock.hpp"

namespace enprof {

/// CPU time that the calling thread has used since it began. Costs a system call; zero if the
/// system does not say.
[[nodiscard]] Nanoseconds thread_cpu_time() noexcept;

}  // namespace enprof
