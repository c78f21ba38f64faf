// A file that nobody else sees, and that is gone when it is closed.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace enprof {

/// Holds what is too large for memory, on its way to somebody. Threads: one at a time.
class UnnamedFile {
 public:
  /// In `directory`. Errors: by errno; the message names the directory.
  [[nodiscard]] static Result<UnnamedFile> create(const std::filesystem::path& directory);
  /// $TMPDIR, else /var/tmp, where large files belong: /tmp is often memory.
  [[nodiscard]] static std::filesystem::path usual_directory();

  UnnamedFile(UnnamedFile&& other) noexcept;
  UnnamedFile& operator=(UnnamedFile&& other) noexcept;
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;
  ~UnnamedFile();

  /// Writes at the end. Errors: by errno, a full disk for example.
  [[nodiscard]] Result<void> append(std::string_view bytes);
  [[nodiscard]] Result<std::uint64_t> size() const;
  /// The descriptor, from its start, for somebody else to close.
  [[nodiscard]] int release() noexcept;

 private:
  UnnamedFile(std::filesystem::path directory, int descriptor)
      : directory_(std::move(directory)), descriptor_(descriptor) {}

  std::filesystem::path directory_;
  int descriptor_ = -1;
};

}  // namespace enprof
