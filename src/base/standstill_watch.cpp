#include "base/standstill_watch.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <ctime>

namespace enprof {
namespace {

constexpr Logger kLog{"watch"};

/// A process that used more than this share of the CPU time that it used before was running.
constexpr double kRunningShare = 0.5;
/// In CPUs. A waiting process uses almost no CPU time, and a little when it wakes up.
constexpr double kWaitingCpus = 0.1;

}  // namespace

Nanoseconds process_cpu_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + Nanoseconds{time.tv_nsec};
}

Nanoseconds time_stood_still(const std::vector<Standstill>& standstills, Instant begin,
                             Instant end) {
  Nanoseconds sum{0};
  for (const Standstill& standstill : standstills) {
    sum +=
        std::max(std::min(standstill.end, end) - std::max(standstill.begin, begin), Nanoseconds{0});
  }
  return sum;
}

void StandstillWatch::start() {
  stop();
  {
    const std::lock_guard lock(mutex_);
    last_ = Beat{.at = clock_.now(), .cpu = cpu_time_()};
    usual_ = 0.0;
    found_.clear();
  }
  const auto started = thread_.start({.name = "enprof-watch",
                                      .purpose = "check whether the program stood still",
                                      .period = kPeriod,
                                      .first = kPeriod,
                                      .clock = &clock_},
                                     [this] { check(); });
  if (!started) {
    kLog.error("Cannot watch for standstills of this program: {}", started.error().message);
    const std::lock_guard lock(mutex_);
    last_.reset();
  }
}

void StandstillWatch::stop() { thread_.stop(); }

void StandstillWatch::check() {
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.now();
  if (!last_ || now - last_->at < kPeriod / 2) {
    return;
  }
  const Beat beat{.at = now, .cpu = cpu_time_()};
  const Nanoseconds gap = beat.at - last_->at;
  const double cpus = seconds(beat.cpu - last_->cpu) / seconds(gap);
  if (gap < kShortest || cpus > kRunningShare * usual_ + kWaitingCpus) {
    usual_ = cpus;
  } else if (found_.size() < kMost) {
    found_.push_back({.begin = last_->at, .end = beat.at});
    kLog.warning("The program stood still for {:.1f} s: it was stopped, or did not get a CPU",
                 seconds(gap));
  }
  last_ = beat;
}

std::vector<Standstill> StandstillWatch::found() {
  check();
  const std::lock_guard lock(mutex_);
  return found_;
}

}  // namespace enprof
