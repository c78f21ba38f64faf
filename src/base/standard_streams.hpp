// Descriptors 0, 1 and 2, where a parent left one of them closed.
#pragma once

namespace enprof {

/// Puts something into the place of each standard descriptor that is closed, so that no file and no
/// connection gets its number and is then written into. To read from it, or to write a result to
/// it, stays an error (bad file descriptor), as it was. To be called before anything is opened.
void reserve_standard_streams() noexcept;

}  // namespace enprof
