#include "base/named_pipe.hpp"

#include <fmt/format.h>

#include <system_error>

namespace enprof {

Result<void> refuse_named_pipe(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_fifo(std::filesystem::symlink_status(path, failed))) {
    return {};
  }
  return fail(ErrorCode::invalid_argument, fmt::format("{} is a pipe, not a file", path.string()),
              "Write its content into a file first, and pass that file.");
}

}  // namespace enprof
