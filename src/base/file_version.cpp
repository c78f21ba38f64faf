#include "base/file_version.hpp"

#include <sys/stat.h>

namespace enprof {

std::optional<FileVersion> FileVersion::of(const std::filesystem::path& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
#ifdef __APPLE__
  const timespec& modified = status.st_mtimespec;
#else
  const timespec& modified = status.st_mtim;
#endif
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return FileVersion{.device = static_cast<std::uint64_t>(status.st_dev),
                     .inode = static_cast<std::uint64_t>(status.st_ino),
                     .bytes = static_cast<std::int64_t>(status.st_size),
                     .modified_ns = static_cast<std::int64_t>(modified.tv_sec) * kNanoseconds +
                                    static_cast<std::int64_t>(modified.tv_nsec)};
}

}  // namespace enprof
