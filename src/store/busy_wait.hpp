// Waiting for a database that another program holds locked.
#pragma once

#include "enprof/base/units.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

struct sqlite3;

namespace enprof {

/// Retries with a pause that doubles from kFirst to kLongest, each cut short by a random part so
/// that two who wait do not meet again, until the limit. Installed as SQLite's busy handler.
/// Threads: one at a time. Does not move: SQLite holds its address.
class BusyWait {
 public:
  static constexpr Nanoseconds kFirst = std::chrono::milliseconds{1};
  static constexpr Nanoseconds kLongest = std::chrono::milliseconds{100};

  explicit BusyWait(Nanoseconds limit, std::uint64_t seed = std::random_device{}())
      : limit_(limit), random_(seed) {}
  BusyWait(const BusyWait&) = delete;
  BusyWait& operator=(const BusyWait&) = delete;

  /// From now on the connection waits so.
  void install(sqlite3* handle);

  /// The pause before the attempt after so many; zero where the limit has been reached.
  [[nodiscard]] Nanoseconds pause(int attempts, Nanoseconds waited);
  [[nodiscard]] Nanoseconds limit() const { return limit_; }

 private:
  static int on_busy(void* self, int attempts);

  Nanoseconds limit_;
  std::mt19937_64 random_;
  std::chrono::steady_clock::time_point began_;
};

/// Who holds the database's lock for writing: "process 1234 (enprof)"; empty where that is not
/// known. Reads /proc/locks: to ask with fcntl would drop this process's own locks.
[[nodiscard]] std::string lock_holder(const std::filesystem::path& database);

}  // namespace enprof
