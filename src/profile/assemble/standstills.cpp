#include "profile/assemble/standstills.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace enprof {
namespace {

/// So much of a window may lie in a standstill before its power says nothing of the rest.
constexpr double kSmallPart = 0.1;
constexpr std::size_t kMostNamedTokens = 5;

/// Parts of a window that lie in no standstill, with the window's power.
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

std::vector<EnergyWindow> without_standstills(std::vector<EnergyWindow> windows,
                                              const std::vector<Standstill>& standstills) {
  if (standstills.empty()) {
    return windows;
  }
  std::vector<EnergyWindow> result;
  result.reserve(windows.size());
  bool is_cut = false;
  for (const EnergyWindow& window : windows) {
    const Nanoseconds still = time_stood_still(standstills, window.begin, window.end);
    if (still <= Nanoseconds{0}) {
      result.push_back(window);
    } else if (seconds(still) <= kSmallPart * seconds(window.duration())) {
      is_cut = true;
      add_parts(window, standstills, result);
    }
  }
  if (is_cut) {
    std::ranges::stable_sort(result, {}, &EnergyWindow::begin);
  }
  return result;
}

void leave_out_others(std::vector<CpuSample>& samples, const std::vector<Standstill>& standstills) {
  Nanoseconds left_out{0};
  for (std::size_t index = 1; index < samples.size(); ++index) {
    // Compared as they were read: of the one before, what was taken out is put back.
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
                     "Measure again, without Ctrl-Z, SIGSTOP or a paused container or virtual "
                     "machine in between."};
}

}  // namespace enprof
