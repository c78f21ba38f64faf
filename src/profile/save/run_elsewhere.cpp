#include "profile/save/run_elsewhere.hpp"

#include "base/file_limit.hpp"

#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <unistd.h>

namespace enprof {

std::filesystem::path temporary_directory() {
  const char* const set = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): only read
  return set != nullptr && *set != '\0' ? set : "/tmp";
}

bool has_room_for_a_run(const std::filesystem::path& directory) {
  constexpr std::uintmax_t kUsualRun = 1 << 20;
  std::error_code unknown;
  const auto space = std::filesystem::space(directory, unknown);
  return !unknown && space.available >= kUsualRun &&
         file_limit().value_or(kUsualRun) >= kUsualRun &&
         access(directory.c_str(), W_OK | X_OK) == 0;
}

}  // namespace enprof
