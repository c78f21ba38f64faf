// What the sampling thread asks of the operating system.
#pragma once

namespace enprof {

/// Names the calling thread, as debuggers and `top -H` show it; lets it sleep as exactly as the
/// system can; and leaves signals to the program's other threads. What a platform does not offer is
/// left out.
void set_up_sampling_thread(const char* name) noexcept;

}  // namespace enprof
