// Names threads.
#pragma once

#include <string_view>

namespace enprof {

/// Names the calling thread, as debuggers and `top -H` show it: at most 15 bytes of the name. Does
/// nothing on platforms without thread names.
void name_this_thread(std::string_view name) noexcept;

}  // namespace enprof
