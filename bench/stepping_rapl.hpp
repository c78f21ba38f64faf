// A powercap tree whose counters step as the hardware's do.
#pragma once

#include "support/temp_dir.hpp"

#include <filesystem>
#include <sys/types.h>
#include <vector>

namespace enprof::bench {

/// Two zones, driven by a child process every 0.977 ms: what that costs is not counted as ours.
class SteppingRapl {
 public:
  SteppingRapl();
  SteppingRapl(const SteppingRapl&) = delete;
  SteppingRapl& operator=(const SteppingRapl&) = delete;
  ~SteppingRapl();

  /// Keeps the calling thread, and the threads that it starts, off the child's CPU, which is the
  /// first: then that steps in time, whoever polls.
  static void leave_its_cpu();

  [[nodiscard]] bool works() const { return child_ > 0; }
  [[nodiscard]] const std::filesystem::path& root() const { return dir_.path(); }
  [[nodiscard]] const std::vector<std::filesystem::path>& files() const { return paths_; }

 private:
  [[noreturn]] void step() const;

  testing::TempDir dir_;
  std::vector<std::filesystem::path> paths_;
  pid_t child_ = -1;
};

}  // namespace enprof::bench
