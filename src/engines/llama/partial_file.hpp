// A file that appears only when it is complete.
#pragma once

#include "enprof/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace enprof {

/// Writes `<path>.partial` and renames it to `path` at the end; without a commit() it is removed.
/// Threads: one.
class PartialFile {
 public:
  /// Errors: not_found, permission_denied, invalid_argument (a directory), io.
  [[nodiscard]] static Result<PartialFile> create(const std::filesystem::path& path);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  /// The path that is written to. Callers may write there themselves before the first write().
  [[nodiscard]] const std::filesystem::path& partial_path() const noexcept { return partial_; }
  /// Empties the file.
  [[nodiscard]] Result<void> restart();
  [[nodiscard]] Result<void> write(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  /// Renames it; nothing can be written after that.
  [[nodiscard]] Result<void> commit();

 private:
  PartialFile(std::filesystem::path path, std::filesystem::path partial, int descriptor) noexcept;
  [[nodiscard]] std::unexpected<Error> failure(const char* what, int error_number) const;
  void close() noexcept;

  std::filesystem::path path_;
  std::filesystem::path partial_;
  int descriptor_;
  std::uint64_t written_ = 0;
};

}  // namespace enprof
