#include "power/rapl/rapl_counters.hpp"

#include "base/log.hpp"
#include "base/program_path.hpp"
#include "power/counter/counter_file.hpp"
#include "power/counter/counter_reading.hpp"
#include "power/rapl/perf_events.hpp"
#include "power/rapl/rapl_events.hpp"
#include "power/rapl/rapl_zones.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// How often a counter that has not counted yet is looked at: about a step.
constexpr Nanoseconds kLook = std::chrono::milliseconds{1};

CounterTraits traits_of(DomainKind kind) {
  CounterTraits traits;
  traits.limit = kind == DomainKind::psys ? kRaplPlatformLimit : kRaplSocketLimit;
  // Cores may all sleep, and a graphics unit may be switched off: they may really draw nothing.
  if (kind != DomainKind::core && kind != DomainKind::uncore) {
    traits.stall_after = kRaplStallAfter;
  }
  return traits;
}

/// Since Linux 5.10 the counters are root's alone: they can be read so finely that secrets leak.
Error not_permitted(const std::vector<std::string>& paths) {
  std::string hint = fmt::format(
      "Allow it until the next boot: sudo chmod a+r {} (every user can then watch the "
      "power, a side channel: PLATYPUS, CVE-2020-8694).",
      fmt::join(paths, " "));
  if (const auto script = setup_power_access()) {
    hint += fmt::format(" For one group, and after each boot: {} --apply.", *script);
  }
  return {.code = ErrorCode::permission_denied,
          .message = fmt::format("The RAPL counters may not be read by this user: {}",
                                 fmt::join(paths, ", ")),
          .hint = hint + " Or run as root, with sudo."};
}

Result<RaplCounters> not_counting(const RaplCounters& opened) {
  return fail(ErrorCode::unavailable,
              fmt::format("The RAPL counters do not count: {}{} 0", opened.counters.front().place,
                          opened.counters.size() == 1 ? " stands at" : " and all others stand at"),
              "A virtual machine may show counters that it does not have: estimate with --power "
              "estimate.");
}

/// Perf events count from when they were opened, which real ones do after a step or two.
bool do_count(const std::vector<RaplCounter>& counters, const PowerEnvironment& environment) {
  const Sleeper* const sleeper = waiting_sleeper_of(environment);
  if (sleeper == nullptr) {
    return true;  // a clock that nothing moves
  }
  const Instant end = environment.clock->now() + kRaplFirstStepWithin;
  const auto stands_at_zero = [](const RaplCounter& counter) {
    const auto value = counter.input->read();
    return value && *value == 0;  // one that cannot be read is told of by whoever reads it next
  };
  while (std::ranges::all_of(counters, stands_at_zero)) {
    const Instant now = environment.clock->now();
    if (now >= end) {
      return false;
    }
    sleeper->sleep_until(now + kLook);
  }
  return true;
}

Result<RaplCounters> open_files(const PowerEnvironment& environment) {
  auto zones = find_rapl_zones(environment.sysfs_root, environment.procfs_root);
  if (!zones) {
    return std::unexpected(std::move(zones.error()));
  }
  RaplCounters opened{.counters = {}, .way = "powercap files"};
  std::vector<std::string> forbidden;
  std::optional<Error> failure;
  bool any = false;
  bool all_zero = true;
  for (RaplZone& zone : *zones) {
    auto input = std::make_unique<CounterFile>(zone.energy_path);
    const auto value = input->read();
    const bool is_missing = !value && value.error().code == ErrorCode::not_found;
    if (!value) {
      if (value.error().code == ErrorCode::permission_denied) {
        forbidden.push_back(zone.energy_path.string());
        continue;
      }
      kLog.warning("{} {}: {}", zone.domain.name, is_missing ? "is not there yet" : "is left out",
                   value.error().message);
      failure = value.error();
      if (!is_missing) {
        continue;
      }
    }
    any = any || value;
    all_zero = all_zero && (!value || *value == 0);
    CounterTraits traits = traits_of(zone.domain.kind);
    traits.range = zone.range_uj;
    opened.counters.push_back({.domain = std::move(zone.domain),
                               .traits = traits,
                               .input = std::move(input),
                               .place = zone.energy_path.string(),
                               .is_there = value.has_value()});
  }
  // Half of the sockets would pass for all of them: better none, and the line that opens the rest.
  if (!forbidden.empty()) {
    return std::unexpected(not_permitted(forbidden));
  }
  if (!any) {
    failure->hint = "Look at the kernel's log: sudo dmesg | grep -i rapl";
    return std::unexpected(std::move(*failure));
  }
  return all_zero ? not_counting(opened) : std::move(opened);
}

Result<RaplCounters> open_events(const PowerEnvironment& environment) {
  auto events = find_rapl_events(environment.sysfs_root);
  if (!events) {
    return std::unexpected(std::move(events.error()));
  }
  const SystemPerfEvents system(environment.procfs_root);
  const PerfEvents* const perf = environment.perf_events != nullptr        ? environment.perf_events
                                 : environment.clock == &monotonic_clock() ? &system
                                                                           : nullptr;
  if (perf == nullptr) {
    return fail(ErrorCode::unavailable, "There are no perf events in this environment");
  }
  RaplCounters opened{.counters = {}, .way = "perf events"};
  for (RaplEvent& event : *events) {
    auto input = perf->open(event.event);
    if (!input) {
      return std::unexpected(std::move(input.error()));
    }
    CounterTraits traits = traits_of(event.domain.kind);
    traits.unit = event.unit;
    traits.reach = kRaplPerfReach;
    opened.counters.push_back(
        {.domain = std::move(event.domain),
         .traits = traits,
         .input = std::move(*input),
         .place = fmt::format("{} on CPU {}", event.event.name, event.event.cpu)});
  }
  return do_count(opened.counters, environment) ? std::move(opened) : not_counting(opened);
}

}  // namespace

Result<RaplCounters> open_rapl_counters(const PowerEnvironment& environment) {
  auto files = open_files(environment);
  if (files) {
    return files;
  }
  auto events = open_events(environment);
  if (events) {
    kLog.info("The powercap files are not used: {}", files.error().message);
    return events;
  }
  // Without the tree there is nothing that rights would open; and the other way round.
  if (events.error().code != ErrorCode::not_found &&
      files.error().code != ErrorCode::permission_denied) {
    return events;
  }
  Error error = std::move(files.error());
  if (events.error().code != ErrorCode::not_found) {
    error.message += fmt::format("; {}", events.error().message);
  }
  if (events.error().code == ErrorCode::permission_denied) {
    error.hint += fmt::format(" Or allow perf events. {}", events.error().hint);
  }
  return std::unexpected(std::move(error));
}

}  // namespace enprof
