#include "store/busy_wait.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace enprof {

void BusyWait::install(sqlite3* handle) { sqlite3_busy_handler(handle, on_busy, this); }

Nanoseconds BusyWait::pause(int attempts, Nanoseconds waited) {
  if (waited >= limit_) {
    return Nanoseconds{0};
  }
  const Nanoseconds longest =
      std::min<Nanoseconds>(kFirst * (1LL << std::min(attempts, 16)), kLongest);
  std::uniform_int_distribution<Nanoseconds::rep> part(longest.count() / 2, longest.count());
  return std::min(Nanoseconds{part(random_)}, limit_ - waited);
}

int BusyWait::on_busy(void* self, int attempts) {
  auto& wait = *static_cast<BusyWait*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (attempts == 0) {
    wait.began_ = now;
  }
  const Nanoseconds length = wait.pause(attempts, now - wait.began_);
  if (length == Nanoseconds{0}) {
    return 0;
  }
  std::this_thread::sleep_for(length);
  return 1;
}

std::string lock_holder(const std::filesystem::path& database) {
#if defined(__linux__)
  // "12: POSIX  ADVISORY  WRITE 1234 08:01:131 120 120", see proc_locks(5). In WAL mode writers
  // lock byte 120 of the shared memory (sqlite.org/walformat.html); otherwise, the file itself.
  std::ifstream locks("/proc/locks");
  for (const char* const suffix : {"-shm", ""}) {
    struct stat status{};
    std::filesystem::path file = database;
    file += suffix;
    if (stat(file.c_str(), &status) != 0) {
      continue;
    }
    constexpr long kWalWriteLock = 120;
    locks.clear();
    locks.seekg(0);
    for (std::string line; std::getline(locks, line);) {
      std::istringstream fields(line);
      std::string number;
      std::string kind;
      std::string advisory;
      std::string access;
      std::string place;
      std::string end;
      long process = 0;
      long begin = 0;
      fields >> number >> kind >> advisory >> access >> process >> place >> begin >> end;
      if (!fields || access != "WRITE" || process <= 0 ||
          !place.ends_with(fmt::format(":{}", status.st_ino)) ||
          (*suffix != '\0' &&
           (begin > kWalWriteLock || (end != "EOF" && std::stol(end) < kWalWriteLock)))) {
        continue;
      }
      if (process == getpid()) {
        return "this program itself";
      }
      std::string name;
      std::getline(std::ifstream(fmt::format("/proc/{}/comm", process)), name);
      return name.empty() ? fmt::format("process {}", process)
                          : fmt::format("process {} ({})", process, name);
    }
  }
#else
  static_cast<void>(database);
#endif
  return {};
}

}  // namespace enprof
