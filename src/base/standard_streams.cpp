#include "base/standard_streams.hpp"

#include <cerrno>
#include <fcntl.h>
#include <initializer_list>
#include <unistd.h>

namespace enprof {

void reserve_standard_streams() noexcept {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) {
      continue;
    }
    // Open the wrong way around: whoever wants to use it is told so. The lowest number that is free
    // is this one, for those below it are taken.
    const int mode = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", mode) < 0) {
      static_cast<void>(::open("/", O_RDONLY | O_DIRECTORY));  // a root without devices
    }
  }
}

}  // namespace enprof
