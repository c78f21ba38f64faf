// Finds out whether a file is still the one that was read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace enprof {

/// Distinguishes a file from an earlier one of the same name. A file that was rewritten in place
/// has another time or size, a file that replaced it another inode.
struct FileVersion {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  ///< since 1970

  /// Empty if there is no such file, or if stat() may not read it.
  [[nodiscard]] static std::optional<FileVersion> of(const std::filesystem::path& path);

  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};

}  // namespace enprof
