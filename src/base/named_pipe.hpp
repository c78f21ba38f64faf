// Refuses named pipes where a file is expected.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>

namespace enprof {

/// Opening a named pipe waits until a program writes into it, possibly for ever, and no signal ends
/// the wait. Error: invalid_argument for such a pipe. A pipe that a shell made for one command
/// (/dev/fd/N) has a writer already and is accepted.
[[nodiscard]] Result<void> refuse_named_pipe(const std::filesystem::path& path);

}  // namespace enprof
