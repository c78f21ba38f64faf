// The limit on the size of a file that a process may write (RLIMIT_FSIZE, the shell's ulimit -f).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace enprof {

/// In bytes; empty if there is no limit.
[[nodiscard]] std::optional<std::uintmax_t> file_limit();

/// A hint: how large files may be here, and how to raise that limit. A user who is not root can
/// raise it only up to the hard limit, which `ulimit -f N` lowers too.
[[nodiscard]] std::string file_limit_hint();

}  // namespace enprof
