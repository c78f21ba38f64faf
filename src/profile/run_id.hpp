// Makes the ids of runs.
#pragma once

#include <string>

namespace enprof {

/// 16 random hexadecimal digits (64 bits): a prefix is short enough to type, and two runs
/// practically never get the same id.
[[nodiscard]] std::string make_run_id();

}  // namespace enprof
