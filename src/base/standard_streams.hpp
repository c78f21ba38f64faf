// Reserves the descriptors 0, 1 and 2 if the parent process left one of them closed.
#pragma once

namespace enprof {

/// Opens a placeholder for each standard descriptor that is closed, so that no file or connection
/// gets its number and receives output by mistake. Reading from it, or writing a result to it, is
/// still an error (bad file descriptor). Call this before anything else is opened.
void reserve_standard_streams() noexcept;

}  // namespace enprof
