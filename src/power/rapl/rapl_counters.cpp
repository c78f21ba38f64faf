#include "power/rapl/rapl_counters.hpp"

#include "base/cpu_identity.hpp"
#include "base/log.hpp"
#include "base/program_path.hpp"
#include "power/counter/counter_file.hpp"
#include "power/counter/counter_reading.hpp"
#include "power/counter/sensor_fault.hpp"
#include "power/rapl/mirrored_counters.hpp"
#include "power/rapl/perf_events.hpp"
#include "power/rapl/rapl_events.hpp"
#include "power/rapl/rapl_zones.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
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
  return fail(
      ErrorCode::unavailable,
      fmt::format("The RAPL counters do not count: {}{} 0", opened.counters.front().place,
                  opened.counters.size() == 1 ? " stands at" : " and all others stand at"),
      "A virtual machine may show counters that its host does not fill: estimate with --power "
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
    return value && *value == 0;  // an unreadable counter is reported by its next reading
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

/// One zone's counter, with what its files gave when they were read.
struct OpenedFile {
  RaplFiles files;
  std::unique_ptr<CounterFile> input;
  Result<std::uint64_t> value;

  explicit OpenedFile(const RaplFiles& from)
      : files(from), input(std::make_unique<CounterFile>(from.energy)), value(input->read()) {}
};

/// Of the zones of one name the first that shows more than 0, else the first.
OpenedFile open_zone(const RaplZone& zone) {
  OpenedFile first(zone.files);
  if (first.value && *first.value > 0) {
    return first;
  }
  for (const RaplFiles& files : zone.others) {
    OpenedFile other(files);
    if (other.value && *other.value > 0) {
      kLog.info("{} is read from {}: {} {}", zone.domain.name, files.energy.string(),
                zone.files.energy.string(), first.value ? "stands at 0" : "cannot be read");
      return other;
    }
  }
  return first;
}

/// Finds out how the counter of a zone wraps. A counter beyond its range has another one than its
/// file says.
void set_range(RaplCounter& counter, const OpenedFile& opened, std::vector<Incident>& faults) {
  const auto range = opened.files.range_uj;
  if (range && (!opened.value || *opened.value <= *range)) {
    counter.traits.range = *range;
    return;
  }
  counter.traits.reach = kRaplPerfReach;
  faults.push_back(sensor_fault(
      "counter_range_unknown",
      fmt::format("At which value {} begins again at zero is not known ({} {}): where it does, its "
                  "energy of that moment is left out",
                  counter.domain.name,
                  (opened.files.energy.parent_path() / "max_energy_range_uj").string(),
                  range ? fmt::format("is {}, but the counter shows {}", *range, *opened.value)
                        : "cannot be read"),
      "The driver is at fault: sudo dmesg | grep -i rapl"));
}

/// Takes a zone that cannot be read; false where it is left out.
bool take_unreadable(const RaplZone& zone, const Error& error, std::vector<Incident>& faults) {
  const bool is_package = zone.domain.kind == DomainKind::package;
  faults.push_back(sensor_fault(
      kCounterUnreadable,
      fmt::format("{} cannot be read: {}. {}", zone.domain.name, error.message,
                  is_package ? "What it uses is missing from the total, and from the coverage"
                             : "It is left out"),
      "Are all of its CPUs offline (lscpu)? Look at the kernel's log: sudo dmesg | grep -i "
      "rapl"));
  return is_package;
}

/// Dies that show one counter of their socket count once.
void leave_out_mirrored(RaplCounters& opened, const PowerEnvironment& environment) {
  const Sleeper* const sleeper = waiting_sleeper_of(environment);
  if (sleeper == nullptr) {
    return;  // a clock that nothing moves
  }
  const auto mirrored = find_mirrored(opened.counters, *environment.clock, *sleeper);
  std::vector<std::string> names;
  for (const MirroredCounter& mirror : mirrored) {
    const Domain& domain = opened.counters[mirror.counter].domain;
    names.push_back(domain.name);
    opened.faults.push_back(sensor_fault(
        "counters_mirrored",
        fmt::format("{} shows the counter of {}: they are dies of one socket, with one counter "
                    "for all. It is counted once",
                    domain.name, opened.counters[mirror.original].domain.name),
        ""));
    if (domain.kind == DomainKind::package) {
      // What lies in that package is in the other one's counter.
      names.push_back(fmt::format("core-{}", domain.socket.value_or(0)));
      names.push_back(fmt::format("uncore-{}", domain.socket.value_or(0)));
    }
  }
  std::erase_if(opened.counters, [&](const RaplCounter& counter) {
    return std::ranges::find(names, counter.domain.name) != names.end();
  });
}

/// Adds a fault if the machine has more sockets than counters of packages. (A virtual machine's
/// sockets are not those of its host.)
void tell_missing_sockets(RaplCounters& opened, const PowerEnvironment& environment) {
  const CpuIdentity cpu = read_cpu_identity(environment.procfs_root);
  std::set<int> sockets;
  for (const RaplCounter& counter : opened.counters) {
    if (counter.domain.kind == DomainKind::package) {
      sockets.insert(counter.die_of.value_or(counter.domain.socket.value_or(0)));
    }
  }
  if (cpu.is_virtual || sockets.empty() || sockets.size() >= cpu.sockets) {
    return;
  }
  opened.faults.push_back(sensor_fault(
      "socket_missing",
      fmt::format("This machine has {} CPU sockets, and {} of them {} a counter: what the "
                  "others use is missing from the total",
                  cpu.sockets, sockets.size(), sockets.size() == 1 ? "has" : "have"),
      "Look at the kernel's log: sudo dmesg | grep -i rapl"));
}

Result<RaplCounters> open_files(const PowerEnvironment& environment) {
  auto zones = find_rapl_zones(environment.sysfs_root, environment.procfs_root);
  if (!zones) {
    return std::unexpected(std::move(zones.error()));
  }
  RaplCounters opened{.counters = {}, .way = "powercap files", .faults = {}};
  std::vector<std::string> forbidden;
  std::optional<Error> failure;
  bool any = false;
  bool all_zero = true;
  for (RaplZone& zone : *zones) {
    OpenedFile file = open_zone(zone);
    const auto& value = file.value;
    const bool is_missing = !value && value.error().code == ErrorCode::not_found;
    if (!value) {
      if (value.error().code == ErrorCode::permission_denied) {
        forbidden.push_back(file.files.energy.string());
        continue;
      }
      failure = value.error();
      if (!is_missing && !take_unreadable(zone, *failure, opened.faults)) {
        continue;
      }
      if (is_missing) {
        kLog.warning("{} is not there yet: {}", zone.domain.name, failure->message);
      }
    }
    any = any || value;
    all_zero = all_zero && (!value || *value == 0);
    RaplCounter counter{.domain = std::move(zone.domain),
                        .traits = {},
                        .input = nullptr,
                        .place = file.files.energy.string(),
                        .is_there = !is_missing,
                        .is_unreadable = !value && !is_missing,
                        .die_of = zone.die_of};
    counter.traits = traits_of(counter.domain.kind);
    set_range(counter, file, opened.faults);
    counter.input = std::move(file.input);
    opened.counters.push_back(std::move(counter));
  }
  // The sockets that may be read would pass for all of them. The error has the line that opens the
  // others.
  if (!forbidden.empty()) {
    return std::unexpected(not_permitted(forbidden));
  }
  if (!any) {
    failure->hint = "Look at the kernel's log: sudo dmesg | grep -i rapl";
    return std::unexpected(std::move(*failure));
  }
  if (all_zero) {
    return not_counting(opened);
  }
  leave_out_mirrored(opened, environment);
  tell_missing_sockets(opened, environment);
  return opened;
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
  RaplCounters opened{.counters = {}, .way = "perf events", .faults = {}};
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
         .place = fmt::format("{} on CPU {}", event.event.name, event.event.cpu),
         .die_of = event.die_of,
         .begins_at_zero = true});
  }
  if (!do_count(opened.counters, environment)) {
    return not_counting(opened);
  }
  leave_out_mirrored(opened, environment);
  tell_missing_sockets(opened, environment);
  return opened;
}

bool lacks_one(const RaplCounters& opened) {
  return std::ranges::any_of(
      opened.faults, [](const Incident& fault) { return fault.code == kCounterUnreadable; });
}

}  // namespace

Result<RaplCounters> open_rapl_counters(const PowerEnvironment& environment) {
  auto files = open_files(environment);
  if (files && !lacks_one(*files)) {
    return files;
  }
  auto events = open_events(environment);
  if (events) {
    kLog.info("The powercap files are not used: {}",
              files ? "not all of them can be read" : files.error().message);
    return events;
  }
  if (files) {
    return files;
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
