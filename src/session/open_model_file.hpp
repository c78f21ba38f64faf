// A model's file that is kept open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

namespace enprof {

/// Refers to the same file even if its name is reused. Threads: one at a time.
class OpenModelFile {
 public:
  /// Takes ownership of the descriptor. `real` is the file's path without links.
  OpenModelFile(int descriptor, std::filesystem::path real, std::uint64_t bytes)
      : descriptor_(descriptor), real_(std::move(real)), bytes_(bytes) {}
  /// A file that the user named by its path; opened by the engine.
  explicit OpenModelFile(std::filesystem::path path) : real_(std::move(path)) {}
  OpenModelFile(OpenModelFile&& other) noexcept;
  OpenModelFile& operator=(OpenModelFile&& other) noexcept;
  OpenModelFile(const OpenModelFile&) = delete;
  OpenModelFile& operator=(const OpenModelFile&) = delete;
  ~OpenModelFile();

  /// A path that opens this very file while the object exists. Without a descriptor, or without
  /// /proc (macOS), the file's real path.
  [[nodiscard]] std::filesystem::path path() const;
  [[nodiscard]] const std::filesystem::path& real() const { return real_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  int descriptor_ = -1;
  std::filesystem::path real_;
  std::uint64_t bytes_ = 0;
};

}  // namespace enprof
