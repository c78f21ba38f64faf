// Which texts may name a run.
#pragma once

#include <cstddef>
#include <string_view>

namespace enprof {

inline constexpr std::size_t kLongestRunId = 64;

/// 1 to kLongestRunId ASCII letters, digits, '-', '_' and '.', of which the first is a letter, a
/// digit or '_'. Not "last", which commands take for the newest run.
[[nodiscard]] bool is_valid_run_id(std::string_view id);

}  // namespace enprof
