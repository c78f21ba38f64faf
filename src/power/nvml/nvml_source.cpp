#include "power/nvml/nvml_source.hpp"

#include "base/log.hpp"
#include "power/counter/counter_reading.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace enprof {
namespace {

using nvml::Return;

constexpr Logger kLog{"power"};

/// While the first step of a counter is waited for, it is read this often.
constexpr Nanoseconds kFirstStepPause = std::chrono::milliseconds{2};
/// So long after a step that was foretold its counter is read: a forecast errs.
constexpr Nanoseconds kMargin = std::chrono::milliseconds{4};

bool is_counter(const NvmlChannel& channel) { return channel.way == NvmlWay::energy_counter; }

Watts limit_of(const Domain& domain) {
  return domain.kind == DomainKind::module ? NvmlSource::kModuleLimit : NvmlSource::kGpuLimit;
}

std::string_view describe(NvmlWay way) {
  switch (way) {
    case NvmlWay::energy_counter:
      return "energy counter";
    case NvmlWay::instant_field:
    case NvmlWay::instant_usage:
      return "instantaneous power, integrated";
    case NvmlWay::average_usage:
    case NvmlWay::average_field:
      break;
  }
  return "power, mean over 1 s";
}

EnergyCounter counter_for(const Domain& domain) {
  return EnergyCounter({.unit = from_mj(1),
                        .range = 0,  // 64 bits of millijoules outlast any machine
                        .limit = limit_of(domain),
                        .latency = NvmlSource::kStep + NvmlSource::kPoll,
                        .stall_after = NvmlSource::kStall,
                        .reach = std::nullopt});
}

/// Whether there is no use in asking this device again.
bool is_final(Return result) {
  return result == Return::gpu_is_lost || result == Return::reset_required ||
         result == Return::invalid_argument || result == Return::not_found;
}

}  // namespace

Result<std::unique_ptr<NvmlSource>> NvmlSource::open(const PowerEnvironment& environment) {
  auto library = NvmlLibrary::open(environment.nvml_library);
  if (!library) {
    return std::unexpected(std::move(library.error()));
  }
  auto devices = find_nvml_devices(**library);
  if (!devices) {
    return std::unexpected(std::move(devices.error()));
  }
  return std::unique_ptr<NvmlSource>(
      new NvmlSource(std::move(*library), std::move(*devices), environment));
}

NvmlSource::NvmlSource(std::unique_ptr<NvmlLibrary> library, NvmlDevices devices,
                       const PowerEnvironment& environment)
    : library_(std::move(library)),
      clock_(environment.clock),
      sleeper_(sleeper_of(environment)),
      suspend_(*environment.clock, boot_clock_of(environment)),
      count_(devices.count),
      notes_(std::move(devices.notes)),
      locks_(sleeper_ != nullptr && std::ranges::all_of(devices.channels, is_counter)) {
  // A step that is waited for is seen within two calls; without a wait, within two polls.
  const Instant before = clock_->now();
  if (locks_) {
    static_cast<void>(library_->total_energy_mj(devices.channels.front().device));
  }
  const Nanoseconds width = locks_ ? 2 * (clock_->now() - before) + kFirstStepPause : kPoll;
  for (NvmlChannel& channel : devices.channels) {
    Domain& domain = channel.domain;
    domain.source = "nvml";
    domain.method = Method::measured;
    domain.period = is_mean(channel.way) ? kAveraging : kStep;
    domain.stamp_error = uniform_error(width);
    domains_.push_back(domain);
    channels_.push_back(
        {.what = channel,
         .input = std::make_unique<NvmlInput>(*library_, channel.device),
         .counter = is_counter(channel) ? std::optional{counter_for(domain)} : std::nullopt,
         .lock =
             locks_ ? std::optional{StepLock({.period = kStep}, *clock_, *sleeper_)} : std::nullopt,
         .integrator =
             PowerIntegrator({.averaging = is_mean(channel.way) ? kAveraging : Nanoseconds{0},
                              .longest_hold = 2 * kStep}),
         .met = {},
         .turn = {},
         .lost = std::nullopt});
  }
  for (NvmlGpu& gpu : devices.gpus) {
    gpus_.push_back({.what = std::move(gpu), .unsupported = 0});
  }
  link_parents(domains_);
}

std::string NvmlSource::description() const {
  std::vector<std::string> parts;
  parts.reserve(channels_.size() + notes_.size());
  for (const Channel& channel : channels_) {
    parts.push_back(fmt::format(
        "{}: {} ({}{}{})", channel.what.domain.name, describe(channel.what.way), channel.what.label,
        channel.what.domain.device.empty() ? "" : ", ", channel.what.domain.device));
  }
  parts.insert(parts.end(), notes_.begin(), notes_.end());
  return fmt::format("{}", fmt::join(parts, "; "));
}

// ---- start --------------------------------------------------------------------------------------

Result<void> NvmlSource::start() {
  find_again();
  static_cast<void>(suspend_.slept());
  Poll poll;
  bool any = false;
  std::vector<std::uint64_t> first(channels_.size());
  std::vector<std::size_t> waiting;
  std::vector<EnergyWindow> none;
  for (std::size_t index = 0; index < channels_.size(); ++index) {
    Channel& channel = channels_[index];
    Poll one;
    if (!channel.counter) {
      read_power(index, one, none);
    } else if (const auto value = channel.input->read()) {
      first[index] = *value;
      waiting.push_back(index);
    } else {
      keep_first_failure(one, failed(channel, channel.input->result()));
    }
    any = any || one.outcome == PollOutcome::ok;
    if (one.outcome != PollOutcome::ok) {
      keep_first_failure(poll, std::move(one.error));
    }
  }
  if (!any) {
    return std::unexpected(std::move(poll.error));
  }
  wait_for_first_steps(std::move(waiting), first);
  counted_ = clock_->now();
  readings_taken_.reset();
  return {};
}

/// A counter is first seen when it steps: what it shows now is of some time ago.
void NvmlSource::wait_for_first_steps(std::vector<std::size_t> waiting,
                                      const std::vector<std::uint64_t>& first) {
  const Instant begin = clock_->now();
  while (sleeper_ != nullptr && !waiting.empty() && clock_->now() - begin < 2 * kStep) {
    sleeper_->sleep_until(clock_->now() + kFirstStepPause);
    std::erase_if(waiting, [&](std::size_t index) {
      Channel& channel = channels_[index];
      const auto value = channel.input->read();
      if (value && *value != first[index]) {
        channel.met = clock_->now();
        channel.counter->read(*value, channel.met);
        return true;
      }
      return !value;
    });
  }
  for (const std::size_t index : waiting) {
    channels_[index].counter->read(first[index], clock_->now());
  }
}

/// Makes all as it was before the first reading. A handle is good as long as its driver: where the
/// library can, the GPU is looked up anew by its identifier.
void NvmlSource::find_again() {
  count_changed_ = false;
  for (Channel& channel : channels_) {
    if (channel.lost && channel.what.domain.kind != DomainKind::mig) {
      if (const auto device = library_->device(channel.what.domain.device)) {
        channel.what.device = *device;
        channel.input = std::make_unique<NvmlInput>(*library_, *device);
      }
    }
    channel.lost.reset();
    if (channel.lock) {
      channel.lock->forget_phase();
    }
    channel.integrator.forget();
    channel.met = {};
    channel.turn = {};
    if (channel.counter) {
      channel.counter->forget();
    }
  }
  for (Gpu& gpu : gpus_) {
    gpu.what.device = channels_[gpu.what.channel].what.device;
  }
}

// ---- poll ---------------------------------------------------------------------------------------

Poll NvmlSource::poll(std::vector<EnergyWindow>& windows) {
  Poll poll;
  notice_sleep();
  check_count(poll);
  if (locks_) {
    poll_steps(poll, windows);
  } else {
    for (std::size_t index = 0; index < channels_.size(); ++index) {
      if (channels_[index].counter) {
        read_counter(index, poll, windows);
      } else {
        read_power(index, poll, windows);
      }
    }
  }
  if (std::ranges::all_of(channels_,
                          [](const Channel& channel) { return channel.lost.has_value(); })) {
    poll.outcome = PollOutcome::gone;
    poll.error = *channels_.front().lost;
  }
  return poll;
}

void NvmlSource::notice_sleep() {
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

/// Waits for a step of each counter. One is met; when the others step is known from when they were
/// met, so that each is read a little after its step and stamped with it. To meet all, one after
/// the other, would take as many steps where they step together.
void NvmlSource::poll_steps(Poll& poll, std::vector<EnergyWindow>& windows) {
  const Instant begin = clock_->now();
  std::vector<std::size_t> order(channels_.size());
  std::ranges::generate(order, [next = std::size_t{0}]() mutable { return next++; });
  std::ranges::stable_sort(order, {}, [&](std::size_t index) { return channels_[index].turn; });
  const auto next =
      std::ranges::find_if(order, [&](std::size_t index) { return !channels_[index].lost; });
  if (next != order.end()) {
    const std::size_t turn = *next;
    order.erase(next);
    meet(turn, poll, windows);
  }
  // The next step after the poll began, and so the order in which the others come.
  const auto step_after = [&](std::size_t index) {
    return foretold(channels_[index], begin, true);
  };
  std::ranges::stable_sort(order, {}, step_after);
  for (const std::size_t index : order) {
    if (!channels_[index].lost && channels_[index].lock->is_locked()) {
      sleeper_->sleep_until(step_after(index) + kMargin);
      // The counters before it may have taken until another step of this one: a value read close to
      // a step may be that of the step before.
      const Instant now = clock_->now();
      const Instant step = foretold(channels_[index], now - kMargin, true);
      if (step < now + kMargin) {
        sleeper_->sleep_until(step + kMargin);
      }
    }
    read_counter(index, poll, windows);
  }
}

/// The last step before an instant, or the next one after it, as it follows from the last that was
/// met.
Instant NvmlSource::foretold(const Channel& channel, Instant instant, bool after) {
  const auto period = static_cast<double>(channel.lock->period().count());
  const double periods = static_cast<double>((instant - channel.met).count()) / period;
  return channel.met +
         Nanoseconds{std::llround((after ? std::ceil(periods) : std::floor(periods)) * period)};
}

void NvmlSource::meet(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  const StepLock::Reading reading = channel.lock->read(*channel.input);
  channel.turn = clock_->now();
  channel.met = reading.locked ? reading.at : channel.met;
  if (!reading.value) {
    channel.counter->failed();
    keep_first_failure(poll, failed(channel, channel.input->result()));
  } else if (reading.locked || !is_soon_met(channel, reading.seen)) {
    count(index, *reading.value, reading.at, reading.seen, poll, windows);
  }
}

/// A reading at any time is up to a step old, and would make a window with too little energy and
/// then one with too much: better one that is a little longer, with the next step that is met.
bool NvmlSource::is_soon_met(const Channel& channel, Instant seen) const {
  return locks_ && seen - channel.met < kPatience;
}

void NvmlSource::read_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  if (channel.lost) {
    keep_first_failure(poll, *channel.lost);
    return;
  }
  const auto value = channel.input->read();
  const Instant seen = clock_->now();
  if (!value) {
    channel.counter->failed();
    keep_first_failure(poll, failed(channel, channel.input->result()));
    return;
  }
  Instant at = seen;
  if (channel.lock && channel.lock->is_locked()) {
    // Time goes forward, whatever was foretold.
    const Instant step = foretold(channel, seen - kMargin / 2, false);
    const auto last = channel.counter->last_step();
    at = !last || step > *last + channel.lock->period() / 2 ? step : seen;
  } else if (is_soon_met(channel, seen)) {
    return;
  }
  count(index, *value, at, seen, poll, windows);
}

/// Takes a counter's value, shown since `at`.
void NvmlSource::count(std::size_t index, std::uint64_t value, Instant at, Instant seen, Poll& poll,
                       std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  const std::string& name = channel.what.domain.name;
  if (value == 0) {
    channel.counter->failed();
    keep_first_failure(poll,
                       {.code = ErrorCode::unavailable,
                        .message = fmt::format("{}: its energy counter says 0, which no board that "
                                               "runs has used. It is read again",
                                               name),
                        .hint = {}});
    return;
  }
  const auto change = channel.counter->read(value, at, seen);
  append_window(change, index,
                {.name = name,
                 .place = fmt::format("its energy counter, at {} mJ,", value),
                 .limit = channel.counter->traits().limit,
                 .stall_hint = "Does the driver still answer? nvidia-smi -q"},
                poll, windows);
  if (is_gap(change.outcome) && channel.lock) {
    channel.lock->forget_phase();
  }
}

void NvmlSource::read_power(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  if (channel.lost) {
    keep_first_failure(poll, *channel.lost);
    return;
  }
  const auto power = read_nvml_power(*library_, channel.what);
  const Instant at = clock_->now();
  if (!power) {
    channel.integrator.miss();
    keep_first_failure(poll, failed(channel, power.error()));
    return;
  }
  if (*power <= Watts{0} || *power > limit_of(channel.what.domain)) {
    channel.integrator.miss();
    keep_first_failure(poll,
                       {.code = ErrorCode::unavailable,
                        .message = fmt::format("{}: it says that it draws {:g} W, which it cannot. "
                                               "That reading is left out",
                                               channel.what.domain.name, power->value()),
                        .hint = {}});
    return;
  }
  channel.integrator.read(*power, at, static_cast<std::uint16_t>(index), windows);
}

Error NvmlSource::failed(Channel& channel, Return result) const {
  Error error = library_->error(result, fmt::format("{} cannot be read", channel.what.domain.name));
  if (is_final(result)) {
    channel.lost = error;
    kLog.error("{}. Its energy ends here", error.message);
  }
  return error;
}

/// A GPU that comes or goes while measuring: the list of domains is fixed, so it is only told of.
void NvmlSource::check_count(Poll& poll) {
  const Instant now = clock_->now();
  if (count_changed_ || now - counted_ < kCountEvery) {
    return;
  }
  counted_ = now;
  const auto count = library_->device_count();
  if (!count || *count == count_) {
    return;
  }
  count_changed_ = true;
  poll.incidents.push_back(
      {.code = "gpus_changed",
       .error = {.code = ErrorCode::unavailable,
                 .message = fmt::format("The number of GPUs went from {} to {}: one that came is "
                                        "not measured",
                                        count_, *count),
                 .hint = "Restart enprof to measure all."}});
}

// ---- beside energy ------------------------------------------------------------------------------

void NvmlSource::take_readings(std::vector<SensorReading>& readings) {
  const Instant begin = clock_->now();
  if (readings_taken_ && begin - *readings_taken_ < kReadingsEvery) {
    return;
  }
  readings_taken_ = begin;
  for (Gpu& gpu : gpus_) {
    if (channels_[gpu.what.channel].lost) {
      continue;
    }
    // What a GPU does not know is not asked for again; what failed is, the next time.
    const auto take = [&](SensorQuantity quantity, const auto& answer, auto value_of) {
      const unsigned bit = 1U << static_cast<unsigned>(quantity);
      if (answer) {
        readings.push_back({.domain = static_cast<std::uint16_t>(gpu.what.channel),
                            .quantity = quantity,
                            .at = clock_->now(),
                            .value = value_of(*answer)});
      } else if (answer.error() == Return::not_supported ||
                 answer.error() == Return::function_not_found) {
        gpu.unsupported |= bit;
      }
    };
    const auto wants = [&](SensorQuantity quantity) {
      return (gpu.unsupported & (1U << static_cast<unsigned>(quantity))) == 0;
    };
    const nvml::Device device = gpu.what.device;
    using enum SensorQuantity;
    if (wants(utilization_ratio)) {
      const auto busy = library_->utilization(device);
      take(utilization_ratio, busy, [](nvml::Utilization value) { return value.gpu / 100.0; });
      if (busy) {
        take(memory_utilization_ratio, busy,
             [](nvml::Utilization value) { return value.memory / 100.0; });
      }
    }
    const auto hertz = [](unsigned mhz) { return mhz * 1e6; };
    if (wants(clock_hz)) {
      take(clock_hz, library_->clock_mhz(device, nvml::kClockSm), hertz);
    }
    if (wants(memory_clock_hz)) {
      take(memory_clock_hz, library_->clock_mhz(device, nvml::kClockMemory), hertz);
    }
    if (wants(temperature_celsius)) {
      take(temperature_celsius, library_->temperature(device),
           [](unsigned celsius) { return static_cast<double>(celsius); });
    }
    if (wants(throttle_reasons)) {
      take(throttle_reasons, library_->throttle_reasons(device),
           [](std::uint64_t bits) { return static_cast<double>(bits); });
    }
  }
}

}  // namespace enprof
