#include "stepping_rapl.hpp"

#include "enprof/base/units.hpp"

#include "thread_cpus.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
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

/// Real hardware needs no CPU and steps in time. This process gets realtime priority and a CPU of
/// its own, so that a thread that polls for a step elsewhere does not delay the step.
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

SteppingRapl::SteppingRapl(Load load) : load_(load) {
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
  clockid_t cpu_clock{};
  const bool follows = load_.process != 0 && ::clock_getcpuclockid(load_.process, &cpu_clock) == 0;
  const auto cpu_seconds = [&] {  // that the process has used; none once it has ended
    timespec time{};
    return follows && ::clock_gettime(cpu_clock, &time) == 0
               ? static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9
               : 0.0;
  };
  double energy_uj = 100e6;
  double used = cpu_seconds();
  for (auto next = std::chrono::steady_clock::now(); ::getppid() == parent;) {
    next += kStep;
    std::this_thread::sleep_until(next);
    const double now_used = std::max(used, cpu_seconds());
    energy_uj += 1e6 * (load_.watts * seconds(kStep) + load_.watts_per_cpu * (now_used - used));
    used = now_used;
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
