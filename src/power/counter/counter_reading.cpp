#include "power/counter/counter_reading.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <numbers>
#include <utility>

namespace enprof {

const Sleeper* waiting_sleeper_of(const PowerEnvironment& environment) {
  const bool is_real = environment.clock == &monotonic_clock();
  return environment.sleeper == nullptr && is_real ? &monotonic_sleeper() : environment.sleeper;
}

const Sleeper* sleeper_of(const PowerEnvironment& environment) {
  return environment.lock_to_steps ? waiting_sleeper_of(environment) : nullptr;
}

const Clock* boot_clock_of(const PowerEnvironment& environment) {
  const bool is_real = environment.clock == &monotonic_clock();
  return environment.boot_clock == nullptr && is_real ? &boot_clock() : environment.boot_clock;
}

Nanoseconds uniform_error(Nanoseconds time) {
  return Nanoseconds{static_cast<Nanoseconds::rep>(static_cast<double>(time.count()) *
                                                   std::numbers::inv_sqrt3 / 2)};
}

void keep_first_failure(Poll& poll, Error error) {
  if (poll.outcome == PollOutcome::ok) {
    poll.outcome = PollOutcome::retry;
    poll.error = std::move(error);
  }
}

void append_window(const EnergyCounter::Change& change, std::size_t domain,
                   const CounterInWords& counter, Poll& poll, std::vector<EnergyWindow>& windows) {
  if (change.energy) {
    windows.push_back({.domain = static_cast<std::uint16_t>(domain),
                       .begin = change.begin,
                       .end = change.end,
                       .energy = *change.energy});
    return;
  }
  const double ms = to_ms(change.end - change.begin);
  const auto& [name, place, limit, stall_hint, slept] = counter;
  const auto report = [&](const char* code, std::string message, std::string_view advice = {}) {
    poll.incidents.push_back({.code = code,
                              .error = {.code = ErrorCode::unavailable,
                                        .message = std::move(message),
                                        .hint = std::string(advice)}});
  };
  using enum EnergyCounter::Outcome;
  switch (change.outcome) {
    case reset:
      if (slept > Nanoseconds{0}) {
        report(
            "counter_reset",
            fmt::format("{} may have been reset, as the machine slept for {:.1f} s. Its energy in "
                        "the {:.3f} ms around that is left out",
                        name, seconds(slept), ms));
      } else {
        report("counter_reset",
               fmt::format(
                   "{} was reset: {} went back within {:.3f} ms, and {:g} W is too little for a "
                   "wrap. Those {:.3f} ms are left out",
                   name, place, ms, limit.value(), ms),
               "The counter starts at zero if its driver was reloaded, or if the machine slept.");
      }
      break;
    case jump:
      report("counter_jumped",
             fmt::format("{} jumped: {} grew by more within {:.3f} ms than {:g} W "
                         "allows. Those {:.3f} ms are left out",
                         name, place, ms, limit.value(), ms));
      break;
    case lapsed:
      report("counter_lapsed",
             fmt::format("{} was not read for so long that {} may have wrapped more than once. "
                         "Those {:.1f} s are left out",
                         name, place, ms / 1e3),
             "Was the program stopped, or the machine overloaded? Measure again.");
      break;
    case stall:
      report("counter_stalled",
             fmt::format("{} has not stepped for {:.0f} ms: {}", name, ms, place), stall_hint);
      break;
    case stopped:
      report("counter_stopped",
             fmt::format("{} stood still for {:.0f} ms and then went on with less than half of the "
                         "power before: it may not have counted meanwhile. That time is left out",
                         name, ms));
      break;
    case first:
    case unchanged:
    case step:
    case wrap:
    case resumed:
    case failed:
      break;
  }
}

}  // namespace enprof
