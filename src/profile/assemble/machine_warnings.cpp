#include "profile/assemble/machine_warnings.hpp"

#include "base/counted.hpp"
#include "base/format_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

namespace enprof {
namespace {

using Limits = MachineThresholds;

double gigahertz(double khz) { return khz / 1e6; }

/// The mean speed and how far the speeds differ: between the tenth and the ninetieth of a hundred,
/// so that one reading at a moment without work does not count.
struct SpeedCourse {
  double mean = 0.0;
  double low = 0.0;
  double high = 0.0;
};

SpeedCourse course_of(std::span<const std::uint64_t> speeds) {
  std::vector<std::uint64_t> sorted(speeds.begin(), speeds.end());
  std::ranges::sort(sorted);
  const std::size_t cut = sorted.size() / 10;
  return {.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) /
                  static_cast<double>(sorted.size()),
          .low = static_cast<double>(sorted[cut]),
          .high = static_cast<double>(sorted[sorted.size() - 1 - cut])};
}

class Collector {
 public:
  Collector(const MachineStress& stress, Nanoseconds slept, std::span<const std::uint64_t> speeds)
      : stress_(stress), slept_(slept), speeds_(speeds) {}

  std::vector<Warning> collect() {
    warn_of_sleep();
    warn_of_cpu_time();
    warn_of_heat();
    warn_of_speed();
    warn_of_memory();
    return std::move(warnings_);
  }

 private:
  void warn(std::string code, std::string message, std::string hint) {
    warnings_.push_back({"machine", std::move(code), std::move(message), std::move(hint)});
  }

  void warn_of_sleep() {
    if (slept_ > Nanoseconds{0}) {
      warn(
          "machine_slept",
          fmt::format("The machine slept for {:.1f} s during the run. That time is in no duration; "
                      "what it drew then is in no energy",
                      seconds(slept_)),
          "Run again without closing the lid: systemd-inhibit enprof run … keeps Linux awake.");
    }
  }

  void warn_of_cpu_time() {
    if (stress_.stolen_share > Limits::kStolen) {
      warn("cpu_stolen",
           fmt::format("The hypervisor gave {:.1f} % of the CPU time that this machine wanted to "
                       "other machines",
                       100.0 * *stress_.stolen_share),
           "Use a virtual machine with CPUs of its own, or the machine itself.");
    }
    if (stress_.quota && stress_.quota->share > Limits::kQuota) {
      const auto& quota = *stress_.quota;
      warn("cpu_quota",
           fmt::format("The CPU quota{} of a control group stopped its programs in {:.1f} % of the "
                       "periods, and withheld {:.1f} s of CPU time",
                       quota.cpus ? fmt::format(" ({:g} CPUs)", *quota.cpus) : "",
                       100.0 * quota.share, seconds(quota.withheld)),
           "Use no more threads than the quota has CPUs (--threads), or raise it: docker run "
           "--cpus, "
           "systemd's CPUQuota.");
    }
    if (stress_.duration >= Limits::kLongEnough && stress_.cpu_wait_share > Limits::kCpuWait) {
      warn("cpu_contention",
           fmt::format(
               "The program's threads waited for a CPU in {:.1f} % of the time in which they "
               "could have run",
               100.0 * *stress_.cpu_wait_share),
           "Stop other programs, or use fewer threads: --threads.");
    }
  }

  void warn_of_heat() {
    if (!stress_.throttling || stress_.throttling->events == 0) {
      return;
    }
    const ThermalThrottling& heat = *stress_.throttling;
    warn("cpu_throttled",
         fmt::format("The CPU became too hot and slowed down: {} on {}{}",
                     counted(heat.events, "event"), counted(heat.cpus, "CPU"),
                     heat.time ? fmt::format(", for {:.1f} s", seconds(*heat.time)) : ""),
         "Let it cool, improve the cooling, or limit the power, and run again.");
  }

  void warn_of_speed() {
    const auto& before = stress_.limits_before;
    const auto& after = stress_.limits_after;
    std::vector<std::string> changes;
    const bool is_known = !speeds_.empty();
    const SpeedCourse course = is_known ? course_of(speeds_) : SpeedCourse{};
    if (is_known && course.high - course.low > Limits::kSpeedChange * course.high) {
      changes.push_back(fmt::format("they ran at {:.2f} to {:.2f} GHz", gigahertz(course.low),
                                    gigahertz(course.high)));
    }
    if (before.allowed && after.allowed && *before.allowed != *after.allowed) {
      changes.push_back(fmt::format("the limit went from {:.2f} to {:.2f} GHz",
                                    gigahertz(static_cast<double>(*before.allowed)),
                                    gigahertz(static_cast<double>(*after.allowed))));
    }
    if (before.governor != after.governor && !before.governor.empty() && !after.governor.empty()) {
      changes.push_back(
          fmt::format("the governor went from {} to {}", before.governor, after.governor));
    }
    if (!changes.empty()) {
      std::string text = changes.front();
      for (std::size_t index = 1; index < changes.size(); ++index) {
        text += "; " + changes[index];
      }
      warn("cpu_frequency_changed", "The speed of the CPUs changed during the run: " + text,
           "Use a fixed speed for comparisons (cpupower frequency-set --governor performance), or "
           "a warm-up before the run.");
    }
    if (!is_known) {
      return;
    }
    const std::string governor =
        after.governor.empty() ? "" : fmt::format(", with the governor {}", after.governor);
    const std::string hint =
        "Look for what limits it: the governor (enprof doctor), a power limit, heat, a battery.";
    if (after.rated) {
      const auto rated = static_cast<double>(*after.rated);
      if (course.mean < Limits::kSlow * rated) {
        warn("cpu_frequency_low",
             fmt::format("The CPUs ran at {:.2f} GHz, below their rated {:.2f} GHz{}",
                         gigahertz(course.mean), gigahertz(rated), governor),
             hint);
      }
    } else if (after.highest) {
      const auto highest = static_cast<double>(*after.highest);
      if (course.mean < Limits::kSlowOfHighest * highest) {
        warn("cpu_frequency_low",
             fmt::format("The CPUs ran at {:.2f} GHz, less than half of their highest {:.2f} GHz{}",
                         gigahertz(course.mean), gigahertz(highest), governor),
             hint);
      }
    }
  }

  void warn_of_memory() {
    if (stress_.memory_stall_share > Limits::kMemoryStall) {
      warn("memory_pressure",
           fmt::format("Memory was short: programs waited for it in {:.1f} % of the time",
                       100.0 * *stress_.memory_stall_share),
           "Free memory, or use a smaller model or context (--ctx).");
    }
    const std::uint64_t before = stress_.swapped_before.value_or(0);
    const std::uint64_t after = stress_.swapped_after.value_or(0);
    const bool reads = stress_.disk_reads && stress_.duration > Nanoseconds{0} &&
                       static_cast<double>(*stress_.disk_reads) * seconds(Limits::kDiskRead) >
                           Limits::kDiskReadTime * seconds(stress_.duration);
    if (after >= before + Limits::kSwapped || (reads && std::max(before, after) > 0)) {
      warn(
          "process_swapped",
          fmt::format("A part of the program's memory was in swap: {} at the begin, {} at the end; "
                      "it waited {} for the disk",
                      format_bytes(before), format_bytes(after),
                      counted(stress_.disk_reads.value_or(0), "time")),
          "Free memory, or use a smaller model or context (--ctx).");
    } else if (reads) {
      warn("model_not_in_memory",
           fmt::format("The program waited {} for the disk: a part of the model was not in memory",
                       counted(*stress_.disk_reads, "time")),
           "Run again: the model's file is then in memory, if there is room for it.");
    }
    if (stress_.io_stall_share > Limits::kIoStall) {
      warn("io_pressure",
           fmt::format("All programs that had work waited for a disk in {:.1f} % of the time",
                       100.0 * *stress_.io_stall_share),
           "Run again when the model is in memory, and nothing copies files.");
    }
  }

  const MachineStress& stress_;
  Nanoseconds slept_;
  std::span<const std::uint64_t> speeds_;
  std::vector<Warning> warnings_;
};

}  // namespace

std::vector<Warning> machine_warnings(const MachineStress& stress, Nanoseconds slept,
                                      std::span<const std::uint64_t> speeds) {
  return Collector(stress, slept, speeds).collect();
}

}  // namespace enprof
