// A model's file that is held open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

namespace enprof {

/// Whatever becomes of a file's name, this is the file that was looked at. Threads: one at a time.
class OpenModelFile {
 public:
  /// Takes the descriptor over. `real`: where the file lay, without links.
  OpenModelFile(int descriptor, std::filesystem::path real, std::uint64_t bytes)
      : descriptor_(descriptor), real_(std::move(real)), bytes_(bytes) {}
  /// A file that is opened by its path: it is the user's own who names it.
  explicit OpenModelFile(std::filesystem::path path) : real_(std::move(path)) {}
  OpenModelFile(OpenModelFile&& other) noexcept;
  OpenModelFile& operator=(OpenModelFile&& other) noexcept;
  OpenModelFile(const OpenModelFile&) = delete;
  OpenModelFile& operator=(const OpenModelFile&) = delete;
  ~OpenModelFile();

  /// By which this very file is opened, for as long as this lives. Where it is not held by a
  /// descriptor, and on a system without /proc (macOS), where it lay.
  [[nodiscard]] std::filesystem::path path() const;
  [[nodiscard]] const std::filesystem::path& real() const { return real_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  int descriptor_ = -1;
  std::filesystem::path real_;
  std::uint64_t bytes_ = 0;
};

}  // namespace enprof
