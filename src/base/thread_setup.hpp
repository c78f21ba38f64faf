// What a sampling thread asks of the operating system.
#pragma once

#include "enprof/base/error.hpp"

#include <string_view>

namespace enprof {

/// Names the calling thread (name_this_thread), lets it sleep as exactly as the system can, and
/// leaves signals to the program's other threads. What a platform does not offer is left out.
void set_up_sampling_thread(std::string_view name) noexcept;

/// Lets the calling thread run before all that have no realtime priority: SCHED_FIFO at its lowest.
/// Errors: permission_denied, with the right that is missing; unsupported.
[[nodiscard]] Result<void> request_realtime_priority();

}  // namespace enprof
