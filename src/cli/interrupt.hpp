// Handles Ctrl-C so that the run is saved before the program ends.
#pragma once

#include <array>
#include <stop_token>
#include <thread>

namespace enprof {

/// While one exists, the first SIGINT, SIGTERM or SIGHUP (a closed terminal or SSH connection; not
/// under `nohup`) requests a stop instead of ending the program. A second SIGINT or SIGTERM ends it
/// as usual. At most one at a time. If the system cannot create a thread, the first signal ends the
/// program, too.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  /// A stop is requested soon after a signal, on a separate thread.
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  /// Whether a signal was received.
  [[nodiscard]] bool requested() const;
  /// 128 + the received signal, as shells expect; 0 without a signal.
  [[nodiscard]] int exit_code() const;

 private:
  bool handles_hangup_;
  std::array<int, 2> pipe_{-1, -1};
  std::stop_source source_;
  std::thread waiter_;  // a signal handler must not request a stop itself
};

}  // namespace enprof
