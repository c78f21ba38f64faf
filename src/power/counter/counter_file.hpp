// A counter that is a file of sysfs.
#pragma once

#include "base/polled_file.hpp"
#include "power/counter/counter_input.hpp"

#include <filesystem>
#include <optional>

namespace enprof {

/// A file with one whole number. Opened at the first read, and again where it does not answer: it
/// may come late, vanish and come back. Errors of read: those of PolledFile; not_found while there
/// is none. Threads: one at a time.
class CounterFile final : public CounterInput {
 public:
  explicit CounterFile(std::filesystem::path path) : path_(std::move(path)) {}

  [[nodiscard]] Result<std::uint64_t> read() override;
  void renew() override { file_.reset(); }

 private:
  std::filesystem::path path_;
  std::optional<PolledFile> file_;
};

}  // namespace enprof
