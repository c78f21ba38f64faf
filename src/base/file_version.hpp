// Whether a file is still the one that was read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace enprof {

/// What tells a file from the one that had its name before. A file that is written anew in place
/// has another time or size, one that takes its place another inode.
struct FileVersion {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  ///< since 1970

  /// Empty where there is no such file, or none that may be looked at.
  [[nodiscard]] static std::optional<FileVersion> of(const std::filesystem::path& path);

  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};

}  // namespace enprof
