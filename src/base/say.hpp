// Messages to the user on stderr. A message that cannot be written never stops or changes the work.
#pragma once

#include <string_view>

namespace enprof {

/// Writes a text to stderr. It is lost if it cannot be written: the reader has gone, the disk is
/// full, the descriptor is closed. If the reader does not read (a full pipe, a terminal stopped by
/// Ctrl-S), the call waits for a quarter of a second; later calls do not wait until it reads again.
/// Then the number of lost texts is printed. Threads: any.
void say(std::string_view text) noexcept;

/// Like say(), for when the program is about to end: takes no lock and does not wait. May be called
/// in a signal handler.
void say_at_once(std::string_view text) noexcept;

}  // namespace enprof
