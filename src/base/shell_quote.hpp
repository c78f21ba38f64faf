// Quotes paths in hints, so that the command can be pasted into a shell.
#pragma once

#include <string>
#include <string_view>

namespace enprof {

/// The text as one word of a POSIX shell: plain if possible, else in single quotes.
[[nodiscard]] std::string shell_quote(std::string_view text);

}  // namespace enprof
