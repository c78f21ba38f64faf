// Ctrl-C, kept from ending the program before the run is saved.
#pragma once

#include <array>
#include <stop_token>
#include <thread>

namespace enprof {

/// While one exists, the first SIGINT, SIGTERM or SIGHUP (a terminal or an SSH connection that was
/// closed; not under `nohup`) requests a stop instead of ending the program; the second of the
/// first two ends it as usual. At most one at a time. Where the system has no thread to give, the
/// first signal ends the program, too.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  /// A stop is requested soon after a signal came, on a thread of its own.
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  /// Whether a signal came.
  [[nodiscard]] bool requested() const;
  /// 128 + the signal that came, as shells expect; 0 where none came.
  [[nodiscard]] int exit_code() const;

 private:
  bool hears_hangup_;
  std::array<int, 2> pipe_{-1, -1};
  std::stop_source source_;
  std::thread waiter_;  // a handler may not request a stop itself
};

}  // namespace enprof
