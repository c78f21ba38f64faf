// Names for runs.
#pragma once

#include <string>

namespace enprof {

/// 16 random hexadecimal digits: short enough to type a prefix of, and never twice the same.
[[nodiscard]] std::string make_run_id();

}  // namespace enprof
