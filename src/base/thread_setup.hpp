// Sets up a sampling thread.
#pragma once

#include "enprof/base/error.hpp"

#include <string_view>

namespace enprof {

/// Names the calling thread (name_this_thread), lets it sleep as precisely as the system can, and
/// blocks signals on it, so that other threads handle them. What a platform lacks is skipped.
void set_up_sampling_thread(std::string_view name) noexcept;

/// Gives the calling thread priority over all threads without realtime priority: SCHED_FIFO at its
/// lowest. Errors: permission_denied, naming the missing right; unsupported.
[[nodiscard]] Result<void> request_realtime_priority();

}  // namespace enprof
