// Waits for a database that another program has locked.
#pragma once

#include "enprof/base/units.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

struct sqlite3;

namespace enprof {

/// SQLite's busy handler. Retries until the limit, with a pause that doubles from kFirst to
/// kLongest. A random part is cut off each pause, so that two waiting programs do not retry in
/// step. Threads: one at a time. Not movable: SQLite holds its address.
class BusyWait {
 public:
  static constexpr Nanoseconds kFirst = std::chrono::milliseconds{1};
  static constexpr Nanoseconds kLongest = std::chrono::milliseconds{100};

  explicit BusyWait(Nanoseconds limit, std::uint64_t seed = std::random_device{}())
      : limit_(limit), random_(seed) {}
  BusyWait(const BusyWait&) = delete;
  BusyWait& operator=(const BusyWait&) = delete;

  /// Makes this the busy handler of the connection.
  void install(sqlite3* handle);

  /// The pause before the next attempt, after `attempts` failed ones; zero once the limit is
  /// reached.
  [[nodiscard]] Nanoseconds pause(int attempts, Nanoseconds waited);
  [[nodiscard]] Nanoseconds limit() const { return limit_; }
  void set_limit(Nanoseconds limit) { limit_ = limit; }

 private:
  static int on_busy(void* self, int attempts);

  Nanoseconds limit_;
  std::mt19937_64 random_;
  std::chrono::steady_clock::time_point began_;
};

/// The process that holds the database's write lock: "process 1234 (enprof)". Empty if it is
/// unknown. Reads /proc/locks, since asking with fcntl would drop this process's own locks.
[[nodiscard]] std::string lock_holder(const std::filesystem::path& database);

}  // namespace enprof
