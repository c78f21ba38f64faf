// Parses points in time as people type them.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include <string_view>

namespace enprof {

enum class DayPart { begin, end };

/// "2026-09-21", "2026-09-21 14:13", "2026-09-21T14:13:20", all in UTC as enprof shows times. A day
/// alone means its begin, or its end (the begin of the next day). Errors: invalid_argument.
[[nodiscard]] Result<WallTime> parse_moment(std::string_view text, DayPart part);

}  // namespace enprof
