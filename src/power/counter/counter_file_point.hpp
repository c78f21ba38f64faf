// The file of a counter, open for a thread that computes.
#pragma once

#include "power/counter/counter_point.hpp"

#include <atomic>
#include <filesystem>

namespace enprof {

/// A file with one whole number, read with pread. Opening it again puts the new file in the place
/// of the old one under the same descriptor, so that a read meets either the one or the other.
/// Threads: one reads; one opens.
class CounterFilePoint final : public CounterPoint {
 public:
  CounterFilePoint() = default;
  ~CounterFilePoint() override;

  /// Opens the file, or opens it again. Without a file it stays as it is: unreadable, or open on
  /// the file that was there before.
  void open(const std::filesystem::path& path) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> read() const noexcept override;
  [[nodiscard]] std::optional<Descriptor> descriptor() const noexcept override;

 private:
  std::atomic<int> descriptor_{-1};
};

}  // namespace enprof
