#include "power/nvml/nvml_source.hpp"

#include "base/log.hpp"
#include "power/counter/counter_reading.hpp"
#include "power/counter/sensor_fault.hpp"

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

/// The time between reads of a counter while waiting for its first step.
constexpr Nanoseconds kFirstStepPause = std::chrono::milliseconds{2};
/// A counter is read this long after its predicted step, because the prediction may be wrong.
constexpr Nanoseconds kMargin = std::chrono::milliseconds{4};
/// The code of the fault that a counter stands still; its message begins with the domain's name.
constexpr const char* kFrozenCode = "counter_frozen";

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
                        .range = 0,  // 64 bits of millijoules never wrap
                        .limit = limit_of(domain),
                        .latency = NvmlSource::kStep + NvmlSource::kPoll,
                        .stall_after = NvmlSource::kStall,
                        .reach = std::nullopt});
}

/// Whether this device cannot work again in this session.
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
      faults_(std::move(devices.faults)),
      locks_(sleeper_ != nullptr && std::ranges::all_of(devices.channels, is_counter)) {
  // With a lock, a step is seen within two calls; without a lock, within two polls.
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
                              .longest_hold = 2 * kStep,
                              .unseen_permille = kUnseenPermille}),
         .met = {},
         .turn = {},
         .lost = std::nullopt,
         .shown_since = clock_->now(),
         .power = std::nullopt,
         .beside = std::nullopt,
         .pending = {}});
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
  reset_channels();
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
      note(channel, *value, clock_->now());
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

/// Waits for a step of each counter, because its present value is of unknown age.
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
        note(channel, *value, channel.met);
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

/// Resets everything to the state before the first reading. A handle is valid only as long as its
/// driver: if the library can, the GPU is looked up again by its identifier.
void NvmlSource::reset_channels() {
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
    channel.shown = 0;
    channel.shown_since = clock_->now();
    stop_watching(channel);
    if (channel.counter) {
      channel.counter->forget();
    }
  }
  std::erase_if(faults_, [](const Incident& fault) { return fault.code == kFrozenCode; });
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
  }
  for (std::size_t index = 0; index < channels_.size(); ++index) {
    const Channel& channel = channels_[index];
    if (!channel.counter) {
      read_power(index, poll, windows);
      continue;
    }
    if (channel.frozen) {
      read_frozen(index, poll, windows);
      continue;
    }
    if (!locks_) {
      read_counter(index, poll, windows);
    }
    watch_counter(index, poll, windows);
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
    if (channel.beside) {
      channel.beside->forget();
    }
    if (channel.counter) {
      channel.counter->slept();
    }
    if (channel.lock) {
      channel.lock->forget_phase();
    }
  }
}

/// Waits for a step of each counter. It waits for the step of one counter only; the steps of the
/// others are predicted from earlier ones, so that each is read a little after its step and stamped
/// with it. Waiting for all, one after the other, would take as many steps if they step together.
void NvmlSource::poll_steps(Poll& poll, std::vector<EnergyWindow>& windows) {
  const Instant begin = clock_->now();
  std::vector<std::size_t> order(channels_.size());
  std::ranges::generate(order, [next = std::size_t{0}]() mutable { return next++; });
  std::ranges::stable_sort(order, {}, [&](std::size_t index) { return channels_[index].turn; });
  std::erase_if(order, [&](std::size_t index) { return channels_[index].frozen; });
  const auto next =
      std::ranges::find_if(order, [&](std::size_t index) { return !channels_[index].lost; });
  if (next != order.end()) {
    const std::size_t turn = *next;
    order.erase(next);
    read_at_step(turn, poll, windows);
  }
  // The next step after the poll's begin, which is the order in which to read the others.
  const auto step_after = [&](std::size_t index) {
    return predicted_step(channels_[index], begin, true);
  };
  std::ranges::stable_sort(order, {}, step_after);
  for (const std::size_t index : order) {
    if (!channels_[index].lost && channels_[index].lock->is_locked()) {
      sleeper_->sleep_until(step_after(index) + kMargin);
      // Reading the earlier counters may have lasted until this one's next step; a value read close
      // to a step may still be the old one.
      const Instant now = clock_->now();
      const Instant step = predicted_step(channels_[index], now - kMargin, true);
      if (step < now + kMargin) {
        sleeper_->sleep_until(step + kMargin);
      }
    }
    read_counter(index, poll, windows);
  }
}

/// The last step before an instant, or the next one after it, predicted from the last step that was
/// seen.
Instant NvmlSource::predicted_step(const Channel& channel, Instant instant, bool after) {
  const auto period = static_cast<double>(channel.lock->period().count());
  const double periods = static_cast<double>((instant - channel.met).count()) / period;
  return channel.met +
         Nanoseconds{std::llround((after ? std::ceil(periods) : std::floor(periods)) * period)};
}

void NvmlSource::read_at_step(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  const StepLock::Reading reading = channel.lock->read(*channel.input);
  channel.turn = clock_->now();
  channel.met = reading.locked ? reading.at : channel.met;
  if (!reading.value) {
    channel.counter->failed();
    keep_first_failure(poll, failed(channel, channel.input->result()));
    return;
  }
  note(channel, *reading.value, reading.seen);
  if (reading.locked || !is_soon_met(channel, reading.seen)) {
    count(index, *reading.value, reading.at, reading.seen, poll, windows);
  }
}

/// An unlocked reading is up to one step old: it would make a window with too little energy, and
/// then one with too much. A longer window up to the next step that is seen is better.
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
  note(channel, *value, seen);
  Instant at = seen;
  if (channel.lock && channel.lock->is_locked()) {
    // Time must ascend, whatever was predicted.
    const Instant step = predicted_step(channel, seen - kMargin / 2, false);
    const auto last = channel.counter->last_step();
    at = !last || step > *last + channel.lock->period() / 2 ? step : seen;
  } else if (is_soon_met(channel, seen)) {
    return;
  }
  count(index, *value, at, seen, poll, windows);
}

/// Adds a counter's value, which it has had since `at`.
void NvmlSource::count(std::size_t index, std::uint64_t value, Instant at, Instant seen, Poll& poll,
                       std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  const std::string& name = channel.what.domain.name;
  if (value == 0) {
    channel.counter->failed();
    keep_first_failure(
        poll, {.code = ErrorCode::unavailable,
               .message = fmt::format("{}: its energy counter shows 0, which is impossible "
                                      "for a running board. It is read again",
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
  if (const auto power = possible_power(channel, channel.what, poll)) {
    channel.integrator.read(*power, clock_->now(), static_cast<std::uint16_t>(index), windows);
  } else {
    channel.integrator.miss();
  }
}

std::optional<Watts> NvmlSource::possible_power(Channel& channel, const NvmlChannel& how,
                                                Poll& poll) {
  const auto power = read_nvml_power(*library_, how);
  if (!power) {
    keep_first_failure(poll, failed(channel, power.error()));
    return std::nullopt;
  }
  if (*power <= Watts{0} || *power > limit_of(channel.what.domain)) {
    keep_first_failure(poll, {.code = ErrorCode::unavailable,
                              .message = fmt::format("{}: it reports {:g} W, which is impossible. "
                                                     "That reading is left out",
                                                     channel.what.domain.name, power->value()),
                              .hint = {}});
    return std::nullopt;
  }
  return *power;
}

// ---- a counter that stands still ----------------------------------------------------------------

void NvmlSource::note(Channel& channel, std::uint64_t value, Instant seen) const {
  if (value != channel.shown && value != 0) {
    channel.shown = value;
    channel.shown_since = seen;
  }
}

void NvmlSource::stop_watching(Channel& channel) const {
  channel.frozen = false;
  channel.beside.reset();
  channel.pending.clear();
}

void NvmlSource::watch_counter(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  const Nanoseconds still = clock_->now() - channel.shown_since;
  if (channel.lost || still < kSuspect) {
    stop_watching(channel);
    return;
  }
  if (!channel.beside) {
    const auto way = find_power_way(*library_, channel.what);
    if (!way) {
      return;  // that it stalls is reported already
    }
    channel.power = channel.what;
    channel.power->way = *way;
    channel.beside.emplace(
        PowerIntegrator::Sensor{.averaging = is_mean(*way) ? kAveraging : Nanoseconds{0},
                                .longest_hold = 2 * kStep,
                                .unseen_permille = kUnseenPermille});
  }
  if (const auto power = possible_power(channel, *channel.power, poll)) {
    channel.beside->read(*power, clock_->now(), static_cast<std::uint16_t>(index), channel.pending);
  } else {
    channel.beside->miss();
  }
  if (still < kFrozen || channel.pending.empty()) {
    return;
  }
  channel.frozen = true;
  windows.insert(windows.end(), channel.pending.begin(), channel.pending.end());
  channel.pending.clear();
  faults_.push_back(sensor_fault(
      kFrozenCode,
      fmt::format("{}: its energy counter stands still at {} mJ. Its {} "
                  "is read instead until the counter steps",
                  channel.what.domain.name, channel.shown, describe(channel.power->way)),
      "A reset of the GPU or of its driver may let it count again."));
  poll.faults_changed = true;
}

void NvmlSource::read_frozen(std::size_t index, Poll& poll, std::vector<EnergyWindow>& windows) {
  Channel& channel = channels_[index];
  if (channel.lost) {
    keep_first_failure(poll, *channel.lost);
    return;
  }
  const auto value = channel.input->read();
  const Instant seen = clock_->now();
  if (value && *value != 0 && *value != channel.shown) {
    note(channel, *value, seen);
    stop_watching(channel);
    channel.counter->forget();
    channel.counter->read(*value, seen, seen);
    channel.met = seen;
    if (channel.lock) {
      channel.lock->forget_phase();
    }
    poll.faults_changed |= std::erase_if(faults_, [&](const Incident& fault) {
                             return fault.code == kFrozenCode &&
                                    fault.error.message.starts_with(channel.what.domain.name + ":");
                           }) > 0;
    return;
  }
  if (const auto power = possible_power(channel, *channel.power, poll)) {
    channel.beside->read(*power, clock_->now(), static_cast<std::uint16_t>(index), windows);
  } else {
    channel.beside->miss();
  }
}

Error NvmlSource::failed(Channel& channel, Return result) const {
  Error error = library_->error(result, fmt::format("{} cannot be read", channel.what.domain.name));
  if (is_final(result)) {
    channel.lost = error;
    kLog.error("{}. Its energy ends here", error.message);
  }
  return error;
}

/// Warns if the number of GPUs changes while measuring; the list of domains cannot change.
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
       .error = {
           .code = ErrorCode::unavailable,
           .message = fmt::format("The number of GPUs changed from {} to {}: new GPUs are not "
                                  "measured",
                                  count_, *count),
           .hint = "Restart enprof to measure all."}});
}

// ---- beside energy ------------------------------------------------------------------------------

void NvmlSource::append_readings(std::vector<SensorReading>& readings) {
  const Instant begin = clock_->now();
  if (readings_taken_ && begin - *readings_taken_ < kReadingsEvery) {
    return;
  }
  readings_taken_ = begin;
  for (Gpu& gpu : gpus_) {
    if (channels_[gpu.what.channel].lost) {
      continue;
    }
    // A quantity that the GPU does not support is not read again; after other failures it is.
    const auto append = [&](SensorQuantity quantity, const auto& answer, auto value_of) {
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
      append(utilization_ratio, busy, [](nvml::Utilization value) { return value.gpu / 100.0; });
      if (busy) {
        append(memory_utilization_ratio, busy,
               [](nvml::Utilization value) { return value.memory / 100.0; });
      }
    }
    const auto hertz = [](unsigned mhz) { return mhz * 1e6; };
    if (wants(clock_hz)) {
      append(clock_hz, library_->clock_mhz(device, nvml::kClockSm), hertz);
    }
    if (wants(memory_clock_hz)) {
      append(memory_clock_hz, library_->clock_mhz(device, nvml::kClockMemory), hertz);
    }
    if (wants(temperature_celsius)) {
      append(temperature_celsius, library_->temperature(device),
             [](unsigned celsius) { return static_cast<double>(celsius); });
    }
    if (wants(throttle_reasons)) {
      append(throttle_reasons, library_->throttle_reasons(device),
             [](std::uint64_t bits) { return static_cast<double>(bits); });
    }
  }
}

}  // namespace enprof
