// Pipes that have a name, where a file is expected.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>

namespace enprof {

/// Opening a named pipe waits until a program writes into it, for ever where none does, and no
/// signal ends that. Error: invalid_argument for such a pipe. A pipe that a shell made for one
/// command (/dev/fd/N) has its writer: it is let through.
[[nodiscard]] Result<void> refuse_named_pipe(const std::filesystem::path& path);

}  // namespace enprof
