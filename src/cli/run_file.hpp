// Reads runs that were exported as JSON.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"

#include <string>
#include <string_view>

namespace enprof {

/// The finished run in a file that export or --json wrote; "-" is standard input. `then`: what
/// follows the command that converts the file to UTF-8, in the hint for one of another encoding.
/// Errors: those of reading the file; malformed; invalid_argument, if the run had not ended.
[[nodiscard]] Result<ProfiledRun> read_run_file(const std::string& path, std::string_view then);

}  // namespace enprof
