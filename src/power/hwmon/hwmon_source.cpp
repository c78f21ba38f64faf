#include "power/hwmon/hwmon_source.hpp"

#include "power/counter/counter_reading.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

/// Steps by which a counter's time is learned.
constexpr std::size_t kLearnedSteps = 4;

Watts limit_of(const Domain& domain) {
  return domain.kind == DomainKind::psys ? HwmonSource::kMachineLimit : HwmonSource::kPartLimit;
}

/// A rail may be switched off; what computes is not.
bool may_draw_nothing(const Domain& domain) { return domain.kind == DomainKind::other; }

std::string describe(const HwmonChannel& channel) {
  switch (channel.way) {
    case HwmonWay::energy:
      return "energy counter";
    case HwmonWay::average_power:
      return fmt::format("power, mean over {:g} s", seconds(channel.averaging));
    case HwmonWay::power:
    case HwmonWay::volts_times_amps:
      break;
  }
  return "power, integrated";
}

std::string_view covers(const Domain& domain) {
  switch (domain.scope) {
    case DomainScope::machine:
      return ", the whole machine";
    case DomainScope::rail:
      return ", a part of the sum";
    case DomainScope::unclear:
      return ", of which it is not known what it is part of";
    case DomainScope::by_kind:
    case DomainScope::slice:
    case DomainScope::device:
    case DomainScope::board:
    case DomainScope::module:
      break;
  }
  return "";
}

}  // namespace

Result<std::unique_ptr<HwmonSource>> HwmonSource::open(const PowerEnvironment& environment,
                                                       Which which) {
  auto found = find_hwmon_channels(environment.sysfs_root);
  if (!found) {
    return std::unexpected(std::move(found.error()));
  }
  if (which == Which::gpus) {
    std::erase_if(found->channels, [](const HwmonChannel& channel) {
      return channel.domain.kind != DomainKind::gpu;
    });
    std::erase_if(found->faults,
                  [](const HwmonFault& fault) { return fault.kind != DomainKind::gpu; });
    if (found->channels.empty()) {
      return enprof::fail(ErrorCode::not_found, "No chip of the hwmon tree is a GPU's",
                          "Its other sensors are read by name: --power hwmon");
    }
  }
  return std::unique_ptr<HwmonSource>(new HwmonSource(std::move(*found), environment));
}

HwmonSource::HwmonSource(HwmonChannels found, const PowerEnvironment& environment)
    : notes_(std::move(found.notes)),
      faults_(std::move(found.faults)),
      clock_(environment.clock),
      sleeper_(sleeper_of(environment)),
      suspend_(*environment.clock, boot_clock_of(environment)) {
  for (HwmonChannel& channel : found.channels) {
    Domain& domain = channel.domain;
    domain.source = "hwmon";
    domain.method = Method::measured;
    const bool counts = channel.way == HwmonWay::energy;
    domain.period = counts ? kPoll : std::max({kPoll, channel.renewal, channel.averaging});
    // A counter's value is a step old at most; a power was renewed since the last poll.
    domain.stamp_error = uniform_error(counts ? kStep : kPoll);
    domains_.push_back(domain);
    const PowerIntegrator::Sensor sensor{.averaging = channel.averaging,
                                         .longest_hold = 2 * channel.renewal};
    Channel entry{.what = std::move(channel),
                  .file = nullptr,
                  .counter = std::nullopt,
                  .lock = std::nullopt,
                  .integrator = PowerIntegrator(sensor)};
    if (counts) {
      entry.file = std::make_unique<CounterFile>(entry.what.inputs.front().value);
      entry.counter = EnergyCounter({.unit = Joules{1e-6},
                                     .range = 0,
                                     .limit = limit_of(domains_.back()),
                                     .stall_after = std::nullopt,  // a card may be switched off
                                     .reach = entry.what.reach});
    }
    channels_.push_back(std::move(entry));
  }
  link_parents(domains_);
}

std::string HwmonSource::description() const {
  std::vector<std::string> parts;
  parts.reserve(channels_.size() + notes_.size());
  for (const Channel& channel : channels_) {
    const Domain& domain = channel.what.domain;
    parts.push_back(fmt::format("{}: {} ({}{})", domain.name, describe(channel.what),
                                channel.what.label, covers(domain)));
  }
  parts.insert(parts.end(), notes_.begin(), notes_.end());
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::vector<Incident> HwmonSource::faults() const {
  std::vector<Incident> result;
  result.reserve(faults_.size());
  for (const HwmonFault& fault : faults_) {
    result.push_back(fault.incident);
  }
  return result;
}

Nanoseconds HwmonSource::longest_interval() const noexcept {
  Nanoseconds longest = Nanoseconds::max();
  for (const Channel& channel : channels_) {
    if (channel.counter) {
      // A quarter, so that a few failed readings do no harm.
      longest = std::min(longest, channel.counter->longest_gap() / 4);
    }
  }
  return std::max(longest, kPoll);
}

Result<void> HwmonSource::start() {
  lost_since_.reset();
  static_cast<void>(suspend_.slept());
  std::optional<Error> failure;
  bool any = false;
  std::vector<EnergyWindow> none;
  for (std::size_t index = 0; index < channels_.size(); ++index) {
    Channel& channel = channels_[index];
    channel.integrator.forget();
    channel.lock.reset();
    if (channel.counter) {
      channel.counter->forget();
      if (sleeper_ != nullptr) {
        channel.lock.emplace(StepLock::Settings{.period = kStep}, *clock_, *sleeper_);
        if (!channel.lock->learn(*channel.file, kLearnedSteps)) {
          channel.lock.reset();
        }
      }
    }
    Poll one;
    read(index, one, none);
    any = any || one.outcome == PollOutcome::ok;
    if (one.outcome != PollOutcome::ok && !failure) {
      failure = std::move(one.error);
    }
  }
  if (!any) {
    return std::unexpected(std::move(*failure));
  }
  return {};
}

Poll HwmonSource::poll(std::vector<EnergyWindow>& windows) {
  Poll poll;
  notice_sleep();
  for (std::size_t index = 0; index < channels_.size(); ++index) {
    read(index, poll, windows);
  }
  if (!std::ranges::all_of(channels_, &Channel::missing)) {
    lost_since_.reset();
    return poll;
  }
  const Instant now = clock_->now();
  lost_since_ = lost_since_.value_or(now);
  if (now - *lost_since_ >= kLostAfter) {
    poll.outcome = PollOutcome::gone;
    poll.error.hint = "Was the driver unloaded, or the device unplugged? Then start enprof again.";
  }
  return poll;
}

void HwmonSource::notice_sleep() {
  if (suspend_.slept() <= Nanoseconds{0}) {
    return;
  }
  for (Channel& channel : channels_) {
    channel.integrator.forget();
    if (channel.counter) {
      channel.counter->slept();
    }
    if (channel.lock) {
      channel.lock->forget_phase();
    }
  }
}

void HwmonSource::read(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  channels_[index].missing = false;
  if (channels_[index].counter) {
    read_counter(index, poll, windows);
  } else {
    read_power_of(index, poll, windows);
  }
}

void HwmonSource::fail(Channel& channel, Poll& poll, Error error) {
  channel.missing = error.code == ErrorCode::not_found;
  if (channel.counter) {
    channel.counter->failed();
  } else {
    channel.integrator.miss();
  }
  keep_first_failure(poll, std::move(error));
}

void HwmonSource::read_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  StepLock::Reading reading{.value = 0};
  if (channel.lock) {
    reading = channel.lock->read(*channel.file);
  } else {
    reading.value = channel.file->read();
    reading.at = reading.seen = clock_->now();
  }
  if (!reading.value) {
    fail(channel, poll, std::move(reading.value.error()));
    return;
  }
  // Without its step, a value is between 0 and one step old: half a step in the mean.
  const Instant at = reading.locked ? reading.at : reading.seen - kStep / 2;
  const auto change = channel.counter->read(*reading.value, at, reading.seen);
  append_window(change, index,
                {.name = domains_[index].name,
                 .place = channel.what.inputs.front().value.native(),
                 .limit = channel.counter->traits().limit,
                 .stall_hint = {}},
                poll, windows);
}

void HwmonSource::read_power_of(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  Watts sum;
  for (const HwmonChannel::Input& input : channel.what.inputs) {
    auto power = ::enprof::read_power(input);
    if (!power) {
      fail(channel, poll, std::move(power.error()));  // a part of the sum is no sum
      return;
    }
    sum += *power;
  }
  const Instant at = clock_->now();
  const Domain& domain = domains_[index];
  const bool possible =
      sum <= limit_of(domain) && (may_draw_nothing(domain) ? sum >= Watts{0} : sum > Watts{0});
  if (!possible) {
    fail(channel, poll,
         {.code = ErrorCode::unavailable,
          .message =
              fmt::format("{}: {} reports {:g} W, which it cannot draw. That reading "
                          "is left out",
                          domain.name, channel.what.inputs.front().value.string(), sum.value()),
          .hint = {}});
    return;
  }
  channel.integrator.read(sum, at, static_cast<std::uint16_t>(index), windows);
}

}  // namespace enprof
