// CPU time of a thread.
#pragma once

#include "enprof/base/clock.hpp"

namespace enprof {

/// What the calling thread has used since it began: what others did meanwhile is not in it. A
/// system call; zero where the system does not tell.
[[nodiscard]] Nanoseconds thread_cpu_time() noexcept;

}  // namespace enprof
