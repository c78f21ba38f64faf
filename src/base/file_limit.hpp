// The limit on the size of a file that a process may write (RLIMIT_FSIZE, the shell's ulimit -f).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace enprof {

/// In bytes; empty where there is none.
[[nodiscard]] std::optional<std::uintmax_t> file_limit();

/// How large files may be here, and how that limit is raised: who is not root can raise it up to
/// the hard limit alone, which `ulimit -f N` lowers too.
[[nodiscard]] std::string file_limit_hint();

}  // namespace enprof
