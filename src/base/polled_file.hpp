// A small file that is read repeatedly.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace enprof {

/// Opened once and then read from its start with pread. For a file of sysfs or procfs this costs a
/// tenth of opening it each time, and still gives the current value.
/// Threads: any may read at any time.
class PolledFile {
 public:
  /// Errors: by errno; the message names the path, the reason and the number.
  [[nodiscard]] static Result<PolledFile> open(std::filesystem::path path);

  PolledFile(PolledFile&& other) noexcept;
  PolledFile& operator=(PolledFile&& other) noexcept;
  PolledFile(const PolledFile&) = delete;
  PolledFile& operator=(const PolledFile&) = delete;
  ~PolledFile();

  /// At least the first line, as much as fits into the buffer. The text lies in the buffer.
  [[nodiscard]] Result<std::string_view> read(std::span<char> buffer) const;
  /// The number in a file that holds one whole number only. Errors: as read; malformed.
  [[nodiscard]] Result<std::uint64_t> read_number() const;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  PolledFile(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace enprof
