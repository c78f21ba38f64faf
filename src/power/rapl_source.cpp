#include "power/rapl_source.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numbers>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

Watts limit_of(DomainKind kind) {
  return kind == DomainKind::psys ? RaplSource::kPlatformLimit : RaplSource::kSocketLimit;
}

/// Since Linux 5.10 the counters are root's alone: they can be read so finely that secrets leak.
std::unexpected<Error> not_permitted(const std::vector<std::string>& paths) {
  return fail(
      ErrorCode::permission_denied,
      fmt::format("The RAPL counters may not be read by this user: {}", fmt::join(paths, ", ")),
      fmt::format("Allow it until the next boot: sudo chmod a+r {} (every user can then "
                  "watch the power, a side channel: PLATYPUS, CVE-2020-8694). Or run as "
                  "root: sudo enprof …",
                  fmt::join(paths, " ")));
}

}  // namespace

Result<std::unique_ptr<RaplSource>> RaplSource::open(const PowerEnvironment& environment) {
  auto zones = find_rapl_zones(environment.sysfs_root, environment.procfs_root);
  if (!zones) {
    return std::unexpected(zones.error());
  }
  std::vector<Domain> domains;
  std::vector<Counter> counters;
  std::vector<std::string> forbidden;
  std::optional<Error> failure;
  for (RaplZone& zone : *zones) {
    auto file = PolledFile::open(zone.energy_path);
    const Result<std::uint64_t> value = file ? file->read_number() : std::unexpected(file.error());
    if (!value) {
      if (value.error().code == ErrorCode::permission_denied) {
        forbidden.push_back(zone.energy_path.string());
      } else {
        kLog.warning("{} is left out: {}", zone.domain.name, value.error().message);
        failure = value.error();
      }
      continue;
    }
    zone.domain.source = "rapl";
    zone.domain.method = Method::measured;
    zone.domain.period = PowerMonitor::kDefaultInterval;
    // Read at any time within a step: uniform, so its length by the root of twelve.
    zone.domain.stamp_error = Nanoseconds{static_cast<Nanoseconds::rep>(
        static_cast<double>(kStep.count()) * std::numbers::inv_sqrt3 / 2)};
    counters.push_back(
        {.path = zone.energy_path,
         .energy = EnergyCounter({.range = zone.range_uj, .limit = limit_of(zone.domain.kind)}),
         .file = std::move(*file),
         .opened_at = environment.clock->now()});
    domains.push_back(std::move(zone.domain));
  }
  // Half of the sockets would pass for all of them: better none, and the line that opens the rest.
  if (!forbidden.empty()) {
    return not_permitted(forbidden);
  }
  if (domains.empty()) {
    failure->hint = "Look at the kernel's log: sudo dmesg | grep -i rapl";
    return std::unexpected(*failure);
  }
  link_parents(domains);
  return std::unique_ptr<RaplSource>(
      new RaplSource(std::move(domains), std::move(counters), *environment.clock));
}

std::string RaplSource::description() const {
  std::vector<std::string_view> names;
  names.reserve(domains_.size());
  for (const Domain& domain : domains_) {
    names.push_back(domain.name);
  }
  return fmt::format("energy counters of {}, in steps of 1 ms", fmt::join(names, ", "));
}

Nanoseconds RaplSource::longest_interval() const noexcept {
  Nanoseconds longest = Nanoseconds::max();
  for (const Counter& counter : counters_) {
    // A quarter, so that a few failed readings do no harm.
    longest = std::min(longest, counter.energy.longest_gap() / 4);
  }
  return std::max(longest, kStep);
}

Result<void> RaplSource::start() {
  lost_since_.reset();
  bool any = false;
  std::optional<Error> failure;
  for (Counter& counter : counters_) {
    counter.energy.forget();
    if (const auto value = read(counter)) {
      counter.energy.read(*value, clock_->now());
      any = true;
    } else {
      failure = value.error();
    }
  }
  if (!any) {
    return std::unexpected(*failure);
  }
  return {};
}

Poll RaplSource::poll(std::vector<EnergyWindow>& windows) {
  std::optional<Error> failure;
  std::size_t missing = 0;
  for (std::size_t index = 0; index < counters_.size(); ++index) {
    Counter& counter = counters_[index];
    const auto value = read(counter);
    const Instant at = clock_->now();
    std::optional<Error> problem;
    if (!value) {
      problem = value.error();
      missing += value.error().code == ErrorCode::not_found ? 1U : 0U;
    } else {
      problem = take(index, *value, at, windows);
    }
    if (problem && !failure) {
      failure = std::move(problem);
    }
  }
  if (missing < counters_.size()) {
    lost_since_.reset();
  } else {
    const Instant now = clock_->now();
    if (!lost_since_) {
      lost_since_ = now;
    }
    if (now - *lost_since_ >= kLostAfter) {
      failure->hint = "Was the driver unloaded? sudo modprobe intel_rapl_msr, then start anew.";
      return {.outcome = PollOutcome::gone, .error = std::move(*failure)};
    }
  }
  if (failure) {
    return {.outcome = PollOutcome::retry, .error = std::move(*failure)};
  }
  return {};
}

Result<std::uint64_t> RaplSource::read(Counter& counter) {
  const auto stands_still = [&] {
    const auto stepped = counter.energy.last_step();
    const Instant now = clock_->now();
    return stepped && now - *stepped >= kStandstill && now - counter.opened_at >= kStandstill;
  };
  if (counter.file && !stands_still()) {
    auto value = counter.file->read_number();
    if (value) {
      return value;
    }
    if (value.error().code != ErrorCode::not_found) {
      return value;  // the file is there, and a new descriptor would say the same
    }
  }
  if (const auto opened = reopen(counter); !opened) {
    return std::unexpected(opened.error());
  }
  return counter.file->read_number();
}

Result<void> RaplSource::reopen(Counter& counter) {
  auto file = PolledFile::open(counter.path);
  if (!file) {
    counter.file.reset();
    return std::unexpected(file.error());
  }
  counter.file = std::move(*file);
  counter.opened_at = clock_->now();
  return {};
}

std::optional<Error> RaplSource::take(std::size_t index, std::uint64_t value_uj, Instant at,
                                      std::vector<EnergyWindow>& windows) {
  Counter& counter = counters_[index];
  const EnergyCounter::Change change = counter.energy.read(value_uj, at);
  if (change.energy) {
    windows.push_back({.domain = static_cast<std::uint16_t>(index),
                       .begin = change.begin,
                       .end = change.end,
                       .energy = *change.energy});
    return std::nullopt;
  }
  if (!is_gap(change.outcome)) {
    return std::nullopt;
  }
  if (change.outcome == EnergyCounter::Outcome::lapsed) {
    return Error{
        .code = ErrorCode::unavailable,
        .message = fmt::format(
            "{} was not read for {:.1f} s, in which {} may have gone around more than "
            "once. That time is left out",
            domains_[index].name, seconds(change.end - change.begin), counter.path.string()),
        .hint = {}};
  }
  return Error{
      .code = ErrorCode::unavailable,
      .message = fmt::format(
          "{} was reset: {} went to {} µJ within {:.3f} ms, more than {} W could "
          "do. Those {:.3f} ms are left out",
          domains_[index].name, counter.path.string(), value_uj, to_ms(change.end - change.begin),
          counter.energy.traits().limit.value(), to_ms(change.end - change.begin)),
      .hint = {}};
}

}  // namespace enprof
