// Ctrl-C, kept from ending the program before the run is saved.
#pragma once

#include <atomic>

namespace enprof {

/// While one exists, the first SIGINT, SIGTERM or SIGHUP (a terminal or an SSH connection that was
/// closed; not under `nohup`) sets a flag instead of ending the program; the second of the first
/// two ends it as usual. At most one at a time.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  /// Set once a signal came. Lives as long as the program.
  [[nodiscard]] const std::atomic<bool>& flag() const;
  [[nodiscard]] bool requested() const { return flag().load(); }
  /// 128 + the signal that came, as shells expect; 0 where none came.
  [[nodiscard]] int exit_code() const;

 private:
  bool hears_hangup_;
};

}  // namespace enprof
