// Paths in hints, such that the line can be pasted into a shell.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// The text as one word of a POSIX shell: plain where it can be, in single quotes where it must.
[[nodiscard]] std::string shell_quote(std::string_view text);

}  // namespace enprof
