#include "base/file_limit.hpp"

#include "base/format_bytes.hpp"

#include <fmt/format.h>

#include <sys/resource.h>
#include <unistd.h>

namespace enprof {

std::optional<std::uintmax_t> file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur;
}

std::string file_limit_hint() {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return "This file system does not allow files of that size: use a directory on another one";
  }
  const std::string size = format_bytes(limit.rlim_cur);
  if (limit.rlim_max == RLIM_INFINITY || geteuid() == 0) {
    return fmt::format("A file may have at most {} here. Raise that limit in this shell: ulimit {}",
                       size, limit.rlim_max == RLIM_INFINITY ? "-S -f unlimited" : "-f unlimited");
  }
  return fmt::format(
      "A file may have at most {} here, and this shell cannot raise that limit again: start enprof "
      "from a shell in which ulimit -f was not used (for a service: LimitFSIZE=infinity)",
      size);
}

}  // namespace enprof
