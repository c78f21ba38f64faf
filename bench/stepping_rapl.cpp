#include "stepping_rapl.hpp"

#include "enprof/base/units.hpp"

#include "thread_cpus.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <span>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace enprof::bench {
namespace {

constexpr Nanoseconds kStep{976'562};
constexpr double kWatts = 60.0;

/// Hardware needs no CPU to step, and is in time: this process is woken in time, and on a CPU that
/// it keeps to, so that whoever polls for a step elsewhere does not keep it from coming.
void behave_like_hardware() {
#ifdef __linux__
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
#endif
  if (const auto cpus = allowed_cpus(); cpus.size() > 1) {
    keep_thread_on(std::span(cpus).first(1));
  }
}

}  // namespace

void SteppingRapl::leave_its_cpu() {
  if (const auto cpus = allowed_cpus(); cpus.size() > 1) {
    keep_thread_on(std::span(cpus).subspan(1));
  }
}

SteppingRapl::SteppingRapl() {
  for (const char* zone : {"intel-rapl:0", "intel-rapl:0/intel-rapl:0:0"}) {
    const std::string directory = std::string("class/powercap/") + zone;
    dir_.write(directory + "/name", directory.ends_with(":0:0") ? "dram\n" : "package-0\n");
    dir_.write(directory + "/energy_uj", "00000000000100000000\n");
    dir_.write(directory + "/max_energy_range_uj", "262143328850\n");
    paths_.push_back(dir_.path() / directory / "energy_uj");
  }
  child_ = ::fork();
  if (child_ == 0) {
    step();
  }
}

SteppingRapl::~SteppingRapl() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
}

void SteppingRapl::step() const {
  std::vector<int> files;
  files.reserve(paths_.size());
  for (const auto& path : paths_) {
    files.push_back(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  }
  behave_like_hardware();
  const pid_t parent = ::getppid();
  double energy_uj = 100e6;
  for (auto next = std::chrono::steady_clock::now(); ::getppid() == parent;) {
    next += kStep;
    std::this_thread::sleep_until(next);
    energy_uj += kWatts * 1e6 * seconds(kStep);
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%020llu\n",
                  static_cast<unsigned long long>(energy_uj));
    for (const int file : files) {
      if (::pwrite(file, text.data(), 21, 0) != 21) {
        ::_exit(1);
      }
    }
  }
  ::_exit(0);
}

}  // namespace enprof::bench
