#include "profile/assemble/standstills.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace enprof {
namespace {

/// The largest share of a window in standstills at which its power holds for the rest of it.
constexpr double kSmallPart = 0.1;
constexpr std::size_t kMostNamedTokens = 5;

/// Adds the parts of a window that are outside standstills, with the window's power.
void add_parts(const EnergyWindow& window, const std::vector<Standstill>& standstills,
               std::vector<EnergyWindow>& parts) {
  const Watts power = window.energy / window.duration();
  const auto add = [&](Instant begin, Instant end) {
    if (end > begin) {
      EnergyWindow part = window;
      part.begin = begin;
      part.end = end;
      part.energy = power * (end - begin);
      parts.push_back(part);
    }
  };
  Instant begin = window.begin;
  for (const Standstill& standstill : standstills) {
    if (standstill.end > begin && standstill.begin < window.end) {
      add(begin, standstill.begin);
      begin = standstill.end;
    }
  }
  add(begin, window.end);
}

}  // namespace

WindowsByDomain without_standstills(WindowsByDomain windows,
                                    const std::vector<Standstill>& standstills) {
  if (standstills.empty()) {
    return windows;
  }
  for (std::vector<EnergyWindow>& of_domain : windows) {
    std::vector<EnergyWindow> kept;
    kept.reserve(of_domain.size());
    for (const EnergyWindow& window : of_domain) {
      const Nanoseconds still = time_stood_still(standstills, window.begin, window.end);
      if (still <= Nanoseconds{0}) {
        kept.push_back(window);
      } else if (seconds(still) <= kSmallPart * seconds(window.duration())) {
        add_parts(window, standstills, kept);
      }
    }
    of_domain = std::move(kept);
  }
  return windows;
}

void leave_out_others(std::vector<CpuSample>& samples, const std::vector<Standstill>& standstills) {
  Nanoseconds left_out{0};
  for (std::size_t index = 1; index < samples.size(); ++index) {
    // `before` is already reduced by left_out: add it, to compare both as they were read.
    const CpuSample& before = samples[index - 1];
    CpuSample& sample = samples[index];
    const Nanoseconds busy = sample.times.machine.busy - (before.times.machine.busy + left_out);
    const Nanoseconds own = sample.times.own - before.times.own;
    if (time_stood_still(standstills, before.at, sample.at) > Nanoseconds{0}) {
      left_out += std::max(busy - own, Nanoseconds{0});
    }
    sample.times.machine.busy -= left_out;
    sample.times.machine.total -= left_out;
  }
}

std::vector<Warning> warnings_of_power(const PowerMonitor& monitor, Instant since,
                                       const std::vector<Standstill>& standstills) {
  std::vector<Warning> warnings = monitor.warnings(since);
  if (!standstills.empty()) {
    std::erase_if(warnings,
                  [](const Warning& warning) { return warning.code == "rate_deviation"; });
  }
  return warnings;
}

std::optional<Warning> standstill_warning(const std::vector<Standstill>& standstills, Instant begin,
                                          Instant end, std::span<const std::size_t> tokens) {
  const Nanoseconds still = time_stood_still(standstills, begin, end);
  if (still <= Nanoseconds{0}) {
    return std::nullopt;
  }
  const auto times = std::ranges::count_if(standstills, [&](const Standstill& standstill) {
    return standstill.end > begin && standstill.begin < end;
  });
  std::string message = fmt::format(
      "The program stood still for {:.1f} s of the run{}: it was stopped and continued, or got no "
      "CPU. That time is part of the run's duration",
      seconds(still), times > 1 ? fmt::format(", {} times", times) : "");
  if (!tokens.empty()) {
    message += fmt::format(" and of token{} {}{}", tokens.size() == 1 ? "" : "s",
                           fmt::join(tokens.first(std::min(tokens.size(), kMostNamedTokens)), ", "),
                           tokens.size() > kMostNamedTokens ? ", …" : "");
  }
  return Warning{.component = "profile",
                 .code = "stood_still",
                 .message = message + "; the energy that the machine used meanwhile is left out",
                 .hint =
                     "Measure again without Ctrl-Z or SIGSTOP, and without pausing the container "
                     "or the virtual machine."};
}

}  // namespace enprof
