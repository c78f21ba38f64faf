// A powercap tree whose counters step like the hardware's.
#pragma once

#include "support/temp_dir.hpp"

#include <filesystem>
#include <sys/types.h>
#include <vector>

namespace enprof::bench {

/// Two zones, stepped by a child process every 0.977 ms, so that this is not in our CPU time.
class SteppingRapl {
 public:
  /// What the zones draw: constant power, and more for each CPU that a process uses.
  struct Load {
    double watts = 60.0;
    double watts_per_cpu = 0.0;
    pid_t process = 0;  ///< 0: no process
  };

  SteppingRapl() : SteppingRapl(Load{}) {}
  explicit SteppingRapl(Load load);
  SteppingRapl(const SteppingRapl&) = delete;
  SteppingRapl& operator=(const SteppingRapl&) = delete;
  ~SteppingRapl();

  /// Keeps the calling thread, and the threads that it starts, off the child's CPU (the first one):
  /// so the child steps in time even if a thread polls.
  static void leave_its_cpu();

  [[nodiscard]] bool works() const { return child_ > 0; }
  [[nodiscard]] const std::filesystem::path& root() const { return dir_.path(); }
  [[nodiscard]] const std::vector<std::filesystem::path>& files() const { return paths_; }

 private:
  [[noreturn]] void step() const;

  Load load_;
  testing::TempDir dir_;
  std::vector<std::filesystem::path> paths_;
  pid_t child_ = -1;
};

}  // namespace enprof::bench
