// Watchers of the live stream, many of them, in a process of their own.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace enprof::bench {

/// Restricts the calling thread, and those that it makes from now on, to one CPU. Throws
/// std::runtime_error.
void pin_thread(int cpu);

/// What the watchers have got since the last mark().
struct StreamReport {
  std::uint64_t events = 0;    ///< of all watchers together
  std::uint64_t lost = 0;      ///< that a watcher should have got and did not
  std::uint32_t watchers = 0;  ///< still connected
  double latency_p50_ms = 0.0;
  double latency_p99_ms = 0.0;
};

/// Reads WebSockets as fast as it can and looks at each event for its number and for "at_ns", the
/// monotonic time of its birth; no JSON is parsed, so that the clients cost little of the CPU that
/// they share with the server. Errors are thrown as std::runtime_error.
class StreamClients {
 public:
  /// Forks: to be made before the process has threads. The child stays on `cpu`.
  explicit StreamClients(int cpu);
  StreamClients(const StreamClients&) = delete;
  StreamClients& operator=(const StreamClients&) = delete;
  ~StreamClients();

  /// Connects watchers to a server on this machine.
  void connect(std::uint16_t port, std::uint32_t watchers) const;
  /// Forgets what has been counted.
  void mark() const;
  /// Waits until all watchers have event number `last`, at most 10 s.
  [[nodiscard]] StreamReport report(std::uint64_t last) const;

 private:
  pid_t child_ = -1;
  int socket_ = -1;
};

}  // namespace enprof::bench
