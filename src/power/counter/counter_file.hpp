// A counter that is a file of sysfs.
#pragma once

#include "base/polled_file.hpp"
#include "power/counter/counter_file_point.hpp"
#include "power/counter/counter_input.hpp"

#include <filesystem>
#include <memory>
#include <optional>

namespace enprof {

/// A file with one whole number. Opened at the first read, and again after a failed read: the file
/// may appear late, vanish and come back. Errors of read: those of PolledFile; not_found while
/// there is no file. Threads: one at a time.
class CounterFile final : public CounterInput {
 public:
  explicit CounterFile(std::filesystem::path path) : path_(std::move(path)) {}

  [[nodiscard]] Result<std::uint64_t> read() override;
  void renew() override { file_.reset(); }
  /// Opened now, and again whenever this file is.
  [[nodiscard]] std::shared_ptr<const CounterPoint> point() override;

 private:
  std::filesystem::path path_;
  std::optional<PolledFile> file_;
  std::shared_ptr<CounterFilePoint> point_;  // shared with the thread that computes
};

}  // namespace enprof
