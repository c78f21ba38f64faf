// Watchers of the live stream, many of them, in a process of their own.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace enprof::bench {

/// Restricts the calling thread, and those that it starts from now on, to one CPU. Throws
/// std::runtime_error.
void pin_thread(int cpu);

/// What the watchers have received since the last mark().
struct StreamReport {
  std::uint64_t events = 0;    ///< sum over all watchers
  std::uint64_t lost = 0;      ///< events that a watcher should have received but did not
  std::uint32_t watchers = 0;  ///< still connected
  double latency_p50_ms = 0.0;
  double latency_p99_ms = 0.0;
};

/// Reads WebSockets as fast as it can, and reads of each event its number and "at_ns", the
/// monotonic time of its creation. It does not parse JSON, so that clients use little of the CPU
/// that they share with the server. Errors are thrown as std::runtime_error.
class StreamClients {
 public:
  /// Forks, so create it before the process has threads. The child stays on `cpu`.
  explicit StreamClients(int cpu);
  StreamClients(const StreamClients&) = delete;
  StreamClients& operator=(const StreamClients&) = delete;
  ~StreamClients();

  /// Connects watchers to a server on this machine.
  void connect(std::uint16_t port, std::uint32_t watchers) const;
  /// Resets the counts.
  void mark() const;
  /// Waits until all watchers have event number `last`, at most 10 s.
  [[nodiscard]] StreamReport report(std::uint64_t last) const;

 private:
  pid_t child_ = -1;
  int socket_ = -1;
};

}  // namespace enprof::bench
