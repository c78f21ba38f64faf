#include "power/rapl/rapl_source.hpp"

#include "power/counter/counter_reading.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace enprof {
namespace {

/// Steps by which the first counter of a group, and each of the others, are learned.
constexpr std::size_t kStepsOfFirst = 8;
constexpr std::size_t kStepsOfOther = 3;
/// Counters whose steps are no further apart than this part of a period step together.
constexpr int kTogether = 8;
/// A counter's period is that of its manual but for the error of its clock; some step each 1 ms.
constexpr double kStepTolerance = 0.05;
constexpr Nanoseconds kShortestSleep = std::chrono::microseconds{30};
/// What meeting a step takes where wake-ups come in time. Where they come late, longer polling does
/// not meet more steps.
constexpr Nanoseconds kSpinPerReading = std::chrono::microseconds{100};
/// How much longer than was seen a counter's lag may be.
constexpr Nanoseconds kLagMargin = std::chrono::microseconds{10};
/// The locks are judged this often, and not by fewer readings.
constexpr Nanoseconds kJudgePeriod = std::chrono::seconds{1};
constexpr std::uint64_t kFewReadings = 8;

Nanoseconds both(Nanoseconds a, Nanoseconds b) {
  return Nanoseconds{static_cast<Nanoseconds::rep>(
      std::hypot(static_cast<double>(a.count()), static_cast<double>(b.count())))};
}

}  // namespace

Result<std::unique_ptr<RaplSource>> RaplSource::open(const PowerEnvironment& environment) {
  auto opened = open_rapl_counters(environment);
  if (!opened) {
    return std::unexpected(std::move(opened.error()));
  }
  return std::unique_ptr<RaplSource>(new RaplSource(std::move(*opened), environment));
}

RaplSource::RaplSource(RaplCounters opened, const PowerEnvironment& environment)
    : way_(std::move(opened.way)),
      faults_(std::move(opened.faults)),
      clock_(environment.clock),
      sleeper_(sleeper_of(environment)),
      suspend_(*environment.clock, boot_clock_of(environment)) {
  for (RaplCounter& counter : opened.counters) {
    Domain& domain = counter.domain;
    domain.source = "rapl";
    domain.method = Method::measured;
    domain.period = PowerMonitor::kDefaultInterval;
    domain.stamp_error = uniform_error(kStep);
    domains_.push_back(std::move(domain));
    counters_.push_back({.input = std::move(counter.input),
                         .energy = EnergyCounter(counter.traits),
                         .place = std::move(counter.place),
                         .renewed_at = clock_->now(),
                         .missing = !counter.is_there,
                         .unreadable = counter.is_unreadable,
                         .offset = std::nullopt});
  }
  link_parents(domains_);
  make_groups();
  for (Group& group : groups_) {
    learn(group);
    open_borders(group);
  }
}

void RaplSource::open_borders(Group& group) {
  std::vector<std::shared_ptr<const CounterPoint>> points;
  for (const std::size_t index : group.counters) {
    if (points.size() < BorderReading::kMostCounters) {
      points.push_back(counters_[index].input->point());
    }
  }
  if (sleeper_ != nullptr && points.front() != nullptr) {
    group.borders = std::make_shared<BorderReader>(std::move(points), *clock_);
  }
}

void RaplSource::make_groups() {
  // Where the platform's counter steps together with a package, that is usually the first.
  std::map<int, Group> by_socket;
  for (std::size_t index = 0; index < domains_.size(); ++index) {
    const Domain& domain = domains_[index];
    auto& counters = by_socket[domain.socket.value_or(0)].counters;
    const bool leads = domain.kind == DomainKind::package;
    counters.insert(leads ? counters.begin() : counters.end(), index);
  }
  for (auto& [socket, group] : by_socket) {
    groups_.push_back(std::move(group));
  }
}

void RaplSource::learn(Group& group) {
  group.lock.reset();
  group.lag = Nanoseconds{0};
  if (sleeper_ == nullptr) {
    return;
  }
  const std::size_t first = group.counters.front();
  group.lock.emplace(StepLock::Settings{.period = kStep,
                                        .period_tolerance = kStepTolerance,
                                        .spin_per_reading = kSpinPerReading,
                                        .trust = &group.trust},
                     *clock_, *sleeper_);
  if (!group.lock->learn(*counters_[first].input, kStepsOfFirst)) {
    group.lock.reset();
    return;
  }
  domains_[first].stamp_error = group.lock->stamp_error();
  for (const std::size_t index : std::span(group.counters).subspan(1)) {
    learn_offset(group, index);
  }
  group.judged = group.lock->counts();
}

void RaplSource::learn_offset(Group& group, std::size_t index) {
  Counter& counter = counters_[index];
  counter.offset.reset();
  domains_[index].stamp_error = uniform_error(kStep);
  StepLock other(StepLock::Settings{.period = group.lock->period(), .trust = &group.trust}, *clock_,
                 *sleeper_);
  if (!other.learn(*counter.input, kStepsOfOther)) {
    return;
  }
  const Nanoseconds period = group.lock->period();
  const Nanoseconds offset = group.lock->grid().offset_of(other.grid());
  if (offset > period / kTogether || offset < -period / kTogether) {
    return;
  }
  counter.offset = offset;
  group.lag = std::max(group.lag, offset + kLagMargin);
  domains_[index].stamp_error = both(group.lock->stamp_error(), other.stamp_error());
}

std::string RaplSource::description() const {
  std::vector<std::string_view> names;
  names.reserve(domains_.size());
  for (const Domain& domain : domains_) {
    names.push_back(domain.name);
  }
  const auto locked =
      std::ranges::count_if(groups_, [](const Group& group) { return group.lock.has_value(); });
  const std::string how =
      locked == 0
          ? "in steps of 1 ms"
          : fmt::format("read at their steps of {:.3f} ms",
                        to_ms(groups_.front().lock ? groups_.front().lock->period() : kStep));
  return fmt::format("energy counters of {}, through {}, {}", fmt::join(names, ", "), way_, how);
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
  judged_at_.reset();
  static_cast<void>(suspend_.slept());
  for (Counter& counter : counters_) {
    counter.energy.forget();
  }
  Poll poll;
  std::vector<EnergyWindow> none;
  for (Group& group : groups_) {
    begin_own_read();
    if (group.lock) {
      group.lock->forget_phase();  // it may have been learned long ago
    } else {
      learn(group);
    }
    if (group.borders) {
      group.placer.discard(*group.borders);
    }
    read_group(group, poll, none);
  }
  end_own_read();
  publish_steps();
  const bool any = std::ranges::any_of(
      counters_, [](const Counter& counter) { return counter.energy.last_step().has_value(); });
  if (!any) {
    return std::unexpected(std::move(poll.error));
  }
  return {};
}

Poll RaplSource::poll(std::vector<EnergyWindow>& windows) {
  Poll poll;
  note_sleep();
  for (Group& group : groups_) {
    static_cast<void>(take_borders(group, poll, windows));
    begin_own_read();
    read_group(group, poll, windows);
  }
  end_own_read();
  judge_locks(poll);
  if (is_lost(clock_->now())) {
    stop();
    poll.outcome = PollOutcome::gone;
    poll.error.hint =
        "Was the driver unloaded? sudo modprobe intel_rapl_msr, then start enprof again.";
  } else {
    publish_steps();
  }
  return poll;
}

void RaplSource::note_sleep() {
  slept_ = suspend_.slept();
  if (slept_ == Nanoseconds{0}) {
    return;
  }
  for (Counter& counter : counters_) {
    counter.energy.slept();
  }
  for (Group& group : groups_) {
    if (group.lock) {
      group.lock->forget_phase();
    }
    if (group.borders) {
      group.placer.discard(*group.borders);
    }
  }
}

// ---- readings at borders -----------------------------------------------------------------------

std::vector<std::shared_ptr<BorderReader>> RaplSource::border_readers() {
  std::vector<std::shared_ptr<BorderReader>> readers;
  for (const Group& group : groups_) {
    if (group.borders) {
      readers.push_back(group.borders);
    }
  }
  return readers;
}

std::size_t RaplSource::collect(Poll& poll, std::vector<EnergyWindow>& windows) {
  note_sleep();
  std::size_t fewest = windows.max_size();
  for (Group& group : groups_) {
    fewest = std::min(fewest, take_borders(group, poll, windows));
  }
  publish_steps();
  return fewest;
}

void RaplSource::stop() {
  for (const Group& group : groups_) {
    if (group.borders) {
      group.borders->publish({});
    }
  }
}

std::size_t RaplSource::take_borders(Group& group, Poll& poll, std::vector<EnergyWindow>& windows) {
  if (!group.borders || !group.lock) {
    return 0;
  }
  const std::uint64_t failed = group.placer.counts().failed;
  const std::size_t before = windows.size();
  group.placer.place(*group.borders, *group.lock, group.read_at,
                     [&](const BorderReading& reading, const BorderPlacer::Step& step) {
                       add_border(group, reading, step, poll, windows);
                     });
  judge_borders(group, poll);
  if (group.placer.counts().failed > failed) {
    return 0;  // the source's own reading finds out why
  }
  const auto first = static_cast<std::uint16_t>(group.counters.front());
  return static_cast<std::size_t>(
      std::count_if(windows.begin() + static_cast<std::ptrdiff_t>(before), windows.end(),
                    [&](const EnergyWindow& window) { return window.domain == first; }));
}

void RaplSource::add_border(Group& group, const BorderReading& reading,
                            const BorderPlacer::Step& step, Poll& poll,
                            std::vector<EnergyWindow>& windows) {
  for (std::size_t place = 0; place < group.counters.size(); ++place) {
    if (place >= BorderReading::kMostCounters || !reading.has(place)) {
      continue;
    }
    const std::size_t index = group.counters[place];
    Attempt attempt{.value = reading.values[place],
                    .at = reading.after,
                    .seen = reading.after,
                    .at_step = false,
                    .error = Nanoseconds{0}};
    if (place == 0) {
      attempt.at = step.at;
      attempt.at_step = true;
      attempt.error = step.error;
    } else if (counters_[index].offset) {
      const auto stepped = place_with(counters_[index], group, reading, step);
      if (!stepped) {
        continue;  // the next reading has its energy too
      }
      attempt.at = *stepped;
      attempt.at_step = true;
      attempt.error = both(step.error, domains_[index].stamp_error);
    }
    add_reading(index, attempt, poll, windows);
  }
}

std::optional<Instant> RaplSource::place_with(const Counter& counter, const Group& group,
                                              const BorderReading& reading,
                                              const BorderPlacer::Step& step) const {
  const Nanoseconds period = group.lock->period();
  const Nanoseconds margin = BorderReader::margin_of(step.error) + kLagMargin;
  const Instant own = step.at + *counter.offset;
  for (const Instant stepped : {own, own - period}) {
    if (reading.before - stepped >= margin && stepped + period - reading.after >= margin) {
      return stepped;
    }
  }
  return std::nullopt;
}

void RaplSource::publish_steps() {
  const Instant now = clock_->now();
  for (Group& group : groups_) {
    if (group.borders && group.lock && group.trust.is_earned(now)) {
      BorderPlacer::publish(*group.borders, *group.lock, now, kAhead, group.lag);
    } else if (group.borders) {
      group.borders->publish({});
    }
  }
}

void RaplSource::judge_borders(Group& group, Poll& poll) {
  const auto slow = group.borders->too_slow();
  if (slow && !group.is_told_slow) {
    poll.incidents.push_back(
        {.code = "counter_slow",
         .error = {.code = ErrorCode::unavailable,
                   .message = fmt::format(
                       "{} takes {:.1f} µs to read, too long for the thread that computes: it is "
                       "read by a thread of its own, less often",
                       domains_[group.counters.front()].name, to_ms(*slow) * 1e3),
                   .hint = "Ask for an interval, such as --power-interval-ms 2: more readings cost "
                           "more."}});
  }
  group.is_told_slow = slow.has_value();
  judge_hang(group, poll);
}

void RaplSource::judge_hang(Group& group, Poll& poll) {
  const auto hang = group.borders->hang();
  if (!hang) {
    return;
  }
  group.trust.note(*hang, clock_->now());
  group.borders->publish({});
  group.borders->forget_hang();
  poll.incidents.push_back(
      {.code = "counter_slow",
       .error = {.code = ErrorCode::unavailable,
                 .message = fmt::format(
                     "A read of {} held up the thread that computes for {:.0f} ms: for {:.0f} "
                     "minutes it is read only by a thread of its own, less often",
                     domains_[group.counters.front()].name, to_ms(*hang),
                     seconds(ReadTrust::kPause) / 60.0),
                 .hint =
                     "If it happens again, its driver or the firmware may hang: sudo dmesg | "
                     "grep -i rapl. With --power-lock off no counter is read on that thread."}});
}

void RaplSource::begin_own_read() {
  const Instant now = clock_->now();
  for (const Group& group : groups_) {
    if (group.borders) {
      group.borders->begin_own_read(now);
    }
  }
}

void RaplSource::end_own_read() {
  for (const Group& group : groups_) {
    if (group.borders) {
      group.borders->end_own_read();
    }
  }
}

void RaplSource::read_group(Group& group, Poll& poll, std::vector<EnergyWindow>& windows) {
  const std::size_t first = group.counters.front();
  std::optional<Instant> step;
  renew_if_still(counters_[first]);
  if (group.lock) {
    auto reading = group.lock->read(*counters_[first].input);
    if (reading.locked) {
      step = reading.at;
    }
    add_reading(first,
                {.value = std::move(reading.value),
                 .at = reading.at,
                 .seen = reading.seen,
                 .at_step = reading.locked},
                poll, windows);
  } else {
    const bool was_missing = counters_[first].missing;
    add_reading(first, read_plainly(counters_[first], group.trust), poll, windows);
    if (was_missing && !counters_[first].missing) {
      learn(group);  // its file was not there before
    }
  }
  if (step && group.lag > Nanoseconds{0}) {
    wait_until(*step + group.lag);
  }
  for (const std::size_t index : std::span(group.counters).subspan(1)) {
    Counter& counter = counters_[index];
    renew_if_still(counter);
    Attempt attempt = read_plainly(counter, group.trust);
    if (step && counter.offset) {
      place(attempt, *step + *counter.offset, group);
    }
    add_reading(index, attempt, poll, windows);
  }
  group.read_at = clock_->now();
}

Instant RaplSource::wake_for(Instant due) noexcept {
  // Several groups: each waits for its own steps, one after the other.
  return groups_.size() == 1 && groups_.front().lock ? groups_.front().lock->wake_for(due) : due;
}

/// A few microseconds are waited for: to fall asleep and to wake takes longer.
void RaplSource::wait_until(Instant instant) const {
  Instant now = clock_->now();
  if (instant - now > kShortestSleep) {
    sleeper_->sleep_until(instant);
    return;
  }
  while (now < instant) {
    now = clock_->now();
  }
}

RaplSource::Attempt RaplSource::read_plainly(Counter& counter, ReadTrust& trust) const {
  const Instant begin = clock_->now();
  Attempt attempt{.value = counter.input->read()};
  attempt.at = attempt.seen = clock_->now();
  trust.note(attempt.seen - begin, attempt.seen);
  return attempt;
}

/// A value came to be when its counter stepped, with its group, unless the reading was so late that
/// it may have stepped again.
void RaplSource::place(Attempt& attempt, Instant stepped, const Group& group) {
  if (attempt.seen < stepped + group.lock->period() - kLagMargin) {
    attempt.at = stepped;
    attempt.at_step = true;
  }
}

void RaplSource::renew_if_still(Counter& counter) {
  const auto stepped = counter.energy.last_step();
  const Instant now = clock_->now();
  if (stepped && now - *stepped >= kStandstill && now - counter.renewed_at >= kStandstill) {
    counter.input->renew();
    counter.renewed_at = now;
  }
}

void RaplSource::add_reading(std::size_t index, const Attempt& attempt, Poll& poll,
                             std::vector<EnergyWindow>& windows) {
  Counter& counter = counters_[index];
  counter.missing = !attempt.value && attempt.value.error().code == ErrorCode::not_found;
  if (!attempt.value) {
    counter.energy.failed();
    Error error = attempt.value.error();
    error.message = fmt::format("{}: {}", domains_[index].name, error.message);
    keep_first_failure(poll, std::move(error));
    return;
  }
  if (counter.unreadable) {
    forget_fault(index, poll);
  }
  const std::size_t before = windows.size();
  // Without its step, a value is between 0 and one step old: half a step in the mean.
  const Instant at = attempt.at_step ? attempt.at : attempt.seen - kStep / 2;
  append_window(
      counter.energy.read(*attempt.value, at, attempt.seen), index,
      {.name = domains_[index].name,
       .place = counter.place,
       .limit = counter.energy.traits().limit,
       .stall_hint = "If it stays so, its driver or the firmware is at fault: sudo dmesg | "
                     "grep -i rapl",
       .slept = slept_},
      poll, windows);
  const Nanoseconds free = uniform_error(kStep);
  if (windows.size() > before && !attempt.at_step && domains_[index].stamp_error < free) {
    windows.back().stamp_error_ns = static_cast<std::uint32_t>(free.count());
  } else if (windows.size() > before && attempt.error > Nanoseconds{0}) {
    windows.back().stamp_error_ns = static_cast<std::uint32_t>(attempt.error.count());
  }
}

void RaplSource::forget_fault(std::size_t index, Poll& poll) {
  counters_[index].unreadable = false;
  poll.faults_changed |= std::erase_if(faults_, [&](const Incident& fault) {
                           return fault.code == kCounterUnreadable &&
                                  fault.error.message.starts_with(domains_[index].name + " ");
                         }) > 0;
}

void RaplSource::judge_locks(Poll& poll) {
  const Instant now = clock_->now();
  judged_at_ = judged_at_.value_or(now);
  if (now - *judged_at_ < kJudgePeriod) {
    return;
  }
  judged_at_ = now;
  for (Group& group : groups_) {
    if (!group.lock) {
      continue;
    }
    const StepLock::Counts& counts = group.lock->counts();
    const std::uint64_t locked = counts.locked - group.judged.locked;
    const std::uint64_t unlocked = counts.unlocked - group.judged.unlocked;
    group.judged = counts;
    const std::size_t first = group.counters.front();
    if (unlocked > locked && locked + unlocked >= kFewReadings &&
        !counters_[first].energy.stalls()) {
      poll.incidents.push_back(
          {.code = "counter_not_locked",
           .error = {.code = ErrorCode::unavailable,
                     .message = fmt::format("{} of {} readings of {} missed the counter's step: "
                                            "their time stamps are up to {:.2f} ms off",
                                            unlocked, locked + unlocked, domains_[first].name,
                                            to_ms(group.lock->period()) / 2.0),
                     .hint = "Leave a CPU free for the profiler, with fewer --threads. Error "
                             "bars count it in."}});
    }
  }
}

bool RaplSource::is_lost(Instant now) {
  if (!std::ranges::all_of(counters_, &Counter::missing)) {
    lost_since_.reset();
    return false;
  }
  lost_since_ = lost_since_.value_or(now);
  return now - *lost_since_ >= kLostAfter;
}

}  // namespace enprof
