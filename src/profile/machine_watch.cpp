#include "profile/machine_watch.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

}  // namespace

MachineWatch::MachineWatch(Options options) : options_(std::move(options)) {
  options_.most_speeds = std::max<std::size_t>(options_.most_speeds, 4);
}

void MachineWatch::start() {
  thread_.stop();
  speeds_.clear();
  speedometer_.emplace(options_.sysfs_root);
  suspend_.emplace(*options_.clock, options_.boot);
  static_cast<void>(suspend_->slept());
  begin_ = read_machine_stress(options_.procfs_root, options_.sysfs_root, *options_.clock);
  if (!speedometer_->fastest()) {
    return;  // this machine does not say: no thread is needed
  }
  const auto started = thread_.start({.name = "enprof-speed",
                                      .purpose = "read the speed of the CPUs",
                                      .period = options_.period,
                                      .first = options_.first,
                                      .clock = options_.clock},
                                     [this] { read_speed(); });
  if (!started) {
    kLog.error("The speed of the CPUs is not known: {}", started.error().message);
  }
}

std::optional<MachineFindings> MachineWatch::stop() {
  thread_.stop();
  if (!begin_) {
    return std::nullopt;
  }
  const StressReading end =
      read_machine_stress(options_.procfs_root, options_.sysfs_root, *options_.clock);
  const StressReading begin = *std::exchange(begin_, std::nullopt);
  return MachineFindings{.stress = stress_between(begin, end),
                         .slept = suspend_->slept(),
                         .speeds = std::exchange(speeds_, {})};
}

void MachineWatch::read_speed() {
  const auto speed = speedometer_->fastest();
  if (!speed) {
    return;
  }
  if (speeds_.size() == options_.most_speeds) {
    for (std::size_t index = 1; 2 * index < speeds_.size(); ++index) {
      speeds_[index] = speeds_[2 * index];
    }
    speeds_.resize((speeds_.size() + 1) / 2);
    options_.period *= 2;
    thread_.set_period(options_.period);
  }
  speeds_.push_back(*speed);
}

}  // namespace enprof
