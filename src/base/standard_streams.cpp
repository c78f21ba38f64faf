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
    // Opened in the wrong direction, so that using it is an error. It gets this number, because
    // open() takes the lowest free one and all lower ones are in use.
    // A program that we start finds it closed, as we did.
    const int mode = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", mode | O_CLOEXEC) < 0) {
      static_cast<void>(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // if there is no /dev
    }
  }
}

}  // namespace enprof
