// What a client asks to have profiled, from JSON.
#pragma once

#include "enprof/base/error.hpp"

#include "server/run_queue.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Reads {"prompt", "model", "depth", "max_tokens", "temperature", "top_k", "top_p", "seed",
/// "chat", "tags", "experiment"}; prompt and model are needed, the others have the defaults of
/// RunTask. run_id is left empty. A member that comes twice, or under two of its names, is refused.
/// What the system before this one called "model_path", "max_length", "profiling_depth" (with
/// "standard" for module) and "experiment_name" is taken for those, and a "batch_size" of 1.
/// Errors: malformed; invalid_argument, which names the member and its bounds, or the one that was
/// probably meant where there is none of that name.
[[nodiscard]] Result<RunTask> parse_run_request(std::string_view json);

/// Reads {"tags": […]}. Errors: malformed; invalid_argument, as above.
[[nodiscard]] Result<std::vector<std::string>> parse_tags(std::string_view json);

inline constexpr std::size_t kMostCompared = 10;
/// Reads {"run_ids": […]}, two to kMostCompared. Errors: invalid_argument, as above.
[[nodiscard]] Result<std::vector<std::string>> parse_run_ids(std::string_view json);

}  // namespace enprof
