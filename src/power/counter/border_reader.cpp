#include "power/counter/border_reader.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace enprof {
namespace {

/// A quarter of a second of readings, at the most frequent.
constexpr std::size_t kRoom = 1024;
/// One step in so many is watched where steps are predicted well.
constexpr unsigned kWatchedEvery = 8;
/// All counters are read at one edge in so many, at the others the first alone: the others need not
/// be known as finely.
constexpr unsigned kAllEvery = 4;
constexpr unsigned kAllAt = 2;  // not at those that are watched
/// What one edge costs beside its own reads: those around a step that is watched.
constexpr double kExtraReads = 0.4;
/// Where nothing can be read now: the next look.
constexpr Nanoseconds kRest = std::chrono::milliseconds{10};
constexpr int kSearchPeriods = 4;
constexpr Nanoseconds kFirstPause = std::chrono::milliseconds{20};
constexpr Nanoseconds kLongestPause = std::chrono::milliseconds{200};
/// Before anything is known: between two borders.
constexpr Nanoseconds kUsualGap = std::chrono::microseconds{50};
/// A smoothed value moves by this part of itself at most, so that an interruption counts as little.
constexpr int kGain = 4;
/// The time of a read moves up by less: it follows the shorter ones, as on a busy machine the
/// longer ones were interrupted and took no CPU time meanwhile.
constexpr int kCostGain = 64;
/// Where a read took too long, it is tried again after this.
constexpr Nanoseconds kSlowPause = std::chrono::seconds{1};
/// What a read is first taken to cost, and how many reads must have been seen to judge it.
constexpr Nanoseconds kUsualCost = std::chrono::microseconds{1};
constexpr unsigned kFewReads = 48;
constexpr Nanoseconds kAtNextBorder{1};

void follow(Nanoseconds& smoothed, Nanoseconds seen, int gain_up = kGain) noexcept {
  const Nanoseconds up = smoothed / gain_up + Nanoseconds{1};
  const Nanoseconds down = smoothed / kGain + Nanoseconds{1};
  smoothed += std::clamp(seen - smoothed, -down, up);
}

}  // namespace

/// Of the state before the ring, in whole lines.
std::size_t BorderReader::shared_bytes() noexcept {
  constexpr std::size_t kLine = sizeof(Line);
  return (sizeof(Shared) / kLine + 1) * kLine;
}

std::size_t BorderReader::memory_bytes() noexcept {
  return shared_bytes() + RingBuffer<BorderReading>::bytes_for(kRoom);
}

std::optional<SharedMemory> BorderReader::make_memory() {
  auto memory = SharedMemory::make("enprof-border", memory_bytes());
  if (!memory) {
    return std::nullopt;  // only a thread of this process can read then
  }
  return *std::move(memory);
}

std::span<std::byte> BorderReader::bytes() noexcept {
  return memory_ ? memory_->bytes() : std::as_writable_bytes(std::span(own_));
}

std::span<std::byte> BorderReader::ring_bytes() noexcept { return bytes().subspan(shared_bytes()); }

BorderReader::BorderReader(std::vector<std::shared_ptr<const CounterPoint>> points,
                           const Clock& clock)
    : points_(std::move(points)),
      clock_(&clock),
      is_owners_(true),
      memory_(make_memory()),
      own_(memory_ ? 0 : memory_bytes() / sizeof(Line) + 1),
      shared_(new(bytes().data()) Shared),
      ring_(ring_bytes(), kRoom) {}

BorderReader::BorderReader(std::vector<std::shared_ptr<const CounterPoint>> points,
                           const Clock& clock, SharedMemory memory)
    : points_(std::move(points)),
      clock_(&clock),
      is_owners_(false),
      memory_(std::move(memory)),
      shared_(reinterpret_cast<Shared*>(bytes().data())),
      ring_(ring_bytes(), kRoom) {
  begin();
}

// ---- the owner ---------------------------------------------------------------------------------

void BorderReader::publish(const Plan& plan) noexcept {
  const std::uint32_t version = shared_->version.load(std::memory_order_relaxed);
  shared_->version.store(version + 1, std::memory_order_relaxed);
  shared_->mode.store(plan.mode, std::memory_order_release);
  shared_->step.store(plan.step.time_since_epoch().count(), std::memory_order_release);
  shared_->period.store(plan.period.count(), std::memory_order_release);
  shared_->error.store(plan.error.count(), std::memory_order_release);
  shared_->lag.store(plan.lag.count(), std::memory_order_release);
  shared_->is_doubtful.store(plan.is_doubtful, std::memory_order_release);
  shared_->version.store(version + 2, std::memory_order_release);
}

void BorderReader::set_pace(const Pace& pace) noexcept {
  shared_->interval.store(pace.interval.count(), std::memory_order_relaxed);
  shared_->cpu_share.store(pace.cpu_share, std::memory_order_relaxed);
}

std::optional<Nanoseconds> BorderReader::too_slow() const noexcept {
  const Nanoseconds cost{shared_->too_slow.load(std::memory_order_relaxed)};
  return cost > Nanoseconds{0} ? std::optional{cost} : std::nullopt;
}

std::optional<Nanoseconds> BorderReader::hang() const noexcept {
  const Nanoseconds took{shared_->hung.load(std::memory_order_relaxed)};
  return took > Nanoseconds{0} ? std::optional{took} : std::nullopt;
}

// ---- the thread that computes ------------------------------------------------------------------

bool BorderReader::claim() noexcept {
  if (shared_->is_claimed.exchange(true, std::memory_order_acquire)) {
    return false;
  }
  begin();
  return true;
}

void BorderReader::begin() noexcept {
  shared_->too_slow.store(0, std::memory_order_relaxed);
  due_ = Instant::min();
  plan_ = {};
  plan_version_ = 0;
  target_ = Instant{};
  watch_.reset();
  is_to_watch_ = false;
  searched_.reset();
  search_pause_ = kFirstPause;
  gap_ = kUsualGap;
  cost_ = kUsualCost;
  reads_ = 0;
  edges_ = 0;
}

void BorderReader::release() noexcept {
  if (is_owners_) {
    shared_->is_claimed.store(false, std::memory_order_release);
  }
}

bool BorderReader::may_hang(Instant now) const noexcept {
  return shared_->hung.load(std::memory_order_acquire) != 0 ||
         now - kHangingRead >=
             Instant{Nanoseconds{shared_->own_read.load(std::memory_order_relaxed)}};
}

Instant BorderReader::act(Instant now) noexcept {
  if (may_hang(now)) {
    watch_.reset();
    due_ = now + kRest;
    return due_;
  }
  load_plan();
  if (plan_.mode == Plan::Mode::off) {
    due_ = now + kRest;
  } else if (too_slow()) {
    shared_->too_slow.store(0, std::memory_order_relaxed);
    cost_ = kUsualCost;
    reads_ = 0;
    target_ = now;
    read_edge(now);
  } else if (plan_.mode == Plan::Mode::search || plan_.period <= Nanoseconds{0}) {
    search(now);
  } else if (is_to_watch_ && (watch_ || now < target_) && now >= target_ - reach() &&
             now < target_ + margin_of(plan_.error)) {
    watch(now);
  } else {
    read_edge(now);
  }
  return due_;
}

/// While the owner writes, what was known before is used.
void BorderReader::load_plan() noexcept {
  const std::uint32_t version = shared_->version.load(std::memory_order_acquire);
  if (version == plan_version_ || version % 2 != 0) {
    return;
  }
  const Plan plan{
      .mode = shared_->mode.load(std::memory_order_acquire),
      .step = Instant{Nanoseconds{shared_->step.load(std::memory_order_acquire)}},
      .period = Nanoseconds{shared_->period.load(std::memory_order_acquire)},
      .error = Nanoseconds{shared_->error.load(std::memory_order_acquire)},
      .lag = Nanoseconds{shared_->lag.load(std::memory_order_acquire)},
      .is_doubtful = shared_->is_doubtful.load(std::memory_order_acquire),
  };
  if (shared_->version.load(std::memory_order_relaxed) != version) {
    return;
  }
  const bool was_known = plan_.mode == Plan::Mode::steps;
  plan_ = plan;
  plan_version_ = version;
  if (plan_.mode != Plan::Mode::steps || plan_.period <= Nanoseconds{0}) {
    return;
  }
  searched_.reset();
  search_pause_ = kFirstPause;
  if (was_known && !watch_) {
    target_ = last_step(target_ + plan_.period / 2);  // the same step, where it is expected now
  }
}

void BorderReader::search(Instant now) noexcept {
  watch_.reset();
  searched_ = searched_.value_or(now);
  if (now - *searched_ < kSearchPeriods * plan_.period) {
    due_ = read(now, 1) ? now + kAtNextBorder : now + kRest;
    return;
  }
  searched_.reset();
  static_cast<void>(read(now, points_.size()));
  due_ = now + search_pause_;
  search_pause_ = std::min(2 * search_pause_, kLongestPause);
}

void BorderReader::watch(Instant now) noexcept {
  if (watch_) {
    follow(gap_, now - watch_->last);
  } else {
    watch_ = Watch{.value = std::nullopt, .last = now};
  }
  watch_->last = now;
  const auto value = read(now, 1);
  if (!value) {
    plan_next(target_);
    due_ = now + kRest;
    return;
  }
  if (watch_->value && *watch_->value != *value) {
    plan_next(target_);  // this read was the edge
    return;
  }
  watch_->value = value;
  due_ = now + kAtNextBorder;
}

void BorderReader::read_edge(Instant now) noexcept {
  const Nanoseconds margin = margin_of(plan_.error);
  const Instant step = last_step(now);
  const bool is_watched = watch_.has_value();
  const bool reads_all = edges_ % kAllEvery == kAllAt;
  const std::size_t count = reads_all ? points_.size() : 1;
  const Nanoseconds after = reads_all ? margin + plan_.lag : margin;
  if (!is_watched && now - step < after) {
    due_ = step + after;
    return;
  }
  if (!is_watched && step + plan_.period - now < margin + cost_ * static_cast<int>(count)) {
    due_ = step + plan_.period + after;
    return;
  }
  const bool is_read = read(now, count).has_value();
  plan_next(step);
  if (!is_read) {
    due_ = now + kRest;
  }
}

void BorderReader::plan_next(Instant step) noexcept {
  ++edges_;
  watch_.reset();
  target_ = step + steps_between_edges() * plan_.period;
  is_to_watch_ = plan_.is_doubtful || edges_ % kWatchedEvery == 0;
  due_ = is_to_watch_ ? target_ - reach() : target_ + margin_of(plan_.error);
  if (too_slow()) {
    due_ = step + kSlowPause;
  }
}

/// How early before a step to begin to watch: a border should come by then.
Nanoseconds BorderReader::reach() const noexcept {
  return std::min(gap_ + gap_ / 4 + 2 * plan_.error, plan_.period / 2);
}

Instant BorderReader::last_step(Instant now) const noexcept {
  const auto ns = (now - plan_.step) / plan_.period - (now < plan_.step ? 1 : 0);
  return plan_.step + ns * plan_.period;
}

Nanoseconds::rep BorderReader::steps_between_edges() noexcept {
  const double counters =
      1 + kExtraReads + static_cast<double>(points_.size() - 1) / static_cast<double>(kAllEvery);
  const double share = shared_->cpu_share.load(std::memory_order_relaxed);
  const auto affordable = from_ns(to_ns(cost_) * counters / share);
  const Nanoseconds asked{shared_->interval.load(std::memory_order_relaxed)};
  const bool is_sure = reads_ >= kFewReads && took_ <= cost_ + cost_ / kGain;
  if (affordable > std::max(asked, kLongestInterval) && is_sure) {
    shared_->too_slow.store(std::max<Nanoseconds::rep>(cost_.count(), 1),
                            std::memory_order_relaxed);
  }
  const auto wanted =
      asked > Nanoseconds{0} ? std::max<Nanoseconds::rep>(asked / plan_.period, 1) : kFewestSteps;
  return std::max(wanted, (affordable + plan_.period - Nanoseconds{1}) / plan_.period);
}

std::optional<std::uint64_t> BorderReader::read(Instant now, std::size_t count) noexcept {
  BorderReading reading{.before = now};
  unsigned reads = 0;
  reading.after = now;
  for (std::size_t index = 0; index < count && shared_->hung.load(std::memory_order_relaxed) == 0;
       ++index) {
    if (points_[index] == nullptr) {
      continue;
    }
    ++reads;
    if (const auto value = points_[index]->read()) {
      reading.values[index] = *value;
      reading.read |= static_cast<std::uint8_t>(1U << index);
    }
    const Instant before = std::exchange(reading.after, clock_->now());
    if (reading.after - before >= kHangingRead) {
      shared_->hung.store((reading.after - before).count(), std::memory_order_release);
    }
  }
  reads_ += reads;
  if (reads > 0) {
    took_ = (reading.after - reading.before) / reads;
    follow(cost_, took_, kCostGain);
  }
  static_cast<void>(ring_.push(reading));
  return reading.has(0) ? std::optional{reading.values[0]} : std::nullopt;
}

}  // namespace enprof
