// The way back from run_to_json().
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include <string_view>

namespace enprof {

/// The run that a JSON document holds, such that run_to_json() gives the same document again.
/// What JSON does not hold is lost: bytes that are not UTF-8, and of one energy in 44 the last bit,
/// since two joules can be the same millijoules. Unknown keys are passed over. Trusts nothing in
/// it. Errors: malformed, with the place in the document.
[[nodiscard]] Result<ProfiledRun> run_from_json(std::string_view text);

}  // namespace enprof
