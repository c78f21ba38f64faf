// What is said to a person on stderr: it never ends or changes what is done.
#pragma once

#include <string_view>

namespace enprof {

/// Writes a text to stderr. Where it cannot be written it is lost: a reader that is gone, a full
/// disk, a closed descriptor. One that does not read (a full pipe, a terminal stopped by Ctrl-S) is
/// waited for a quarter of a second, and not again until it reads; it is told then how many texts
/// it missed. Threads: any.
void say(std::string_view text) noexcept;

/// As say(), for where the program is about to end: takes no lock and does not wait. Allowed in a
/// signal's handler.
void say_at_once(std::string_view text) noexcept;

}  // namespace enprof
