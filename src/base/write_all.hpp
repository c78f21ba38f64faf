// Writes a whole text to a descriptor, with as many calls as that takes.
#pragma once

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <unistd.h>

namespace enprof {

/// 0, or the errno of the failure; a part of the text may have been written then. Only fsync()
/// makes sure that it is on the disk.
[[nodiscard]] inline int write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return written < 0 ? errno : ENOSPC;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace enprof
