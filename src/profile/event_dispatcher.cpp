#include "profile/event_dispatcher.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"events"};
constexpr Nanoseconds kShortestPeriod = std::chrono::milliseconds{1};
/// Between two deliveries to those who watch: they are shown 30 pictures a second.
constexpr Nanoseconds kWatchedPeriod = std::chrono::milliseconds{33};
constexpr Nanoseconds kPowerPeriod = std::chrono::milliseconds{100};

}  // namespace

EventDispatcher::~EventDispatcher() {
  try {
    end_run(RunStatus::failed, Nanoseconds{0}, std::nullopt);
  } catch (const std::exception& error) {  // out of memory
    kLog.error("Listeners do not hear of the end of run {}: {}", run_id_, error.what());
  }
}

EventRing* EventDispatcher::make_ring(std::size_t capacity) {
  ring_ = listeners_.empty() ? nullptr : std::make_unique<EventRing>(capacity);
  return ring_.get();
}

void EventDispatcher::begin_run(std::string run_id, const RunRecorder& recorder) {
  if (!ring_) {
    return;
  }
  run_id_ = std::move(run_id);
  recorder_ = &recorder;
  begin_ = recorder.begin_time();
  last_sample_ = begin_;
  energy_at_begin_ = monitor_ != nullptr ? monitor_->now().energy_since_start : Joules{0};
  is_new_ = true;
  posts_lost_ = 0;
  const auto started =
      thread_.start({.name = "enprof-events",
                     .purpose = "tell of run " + run_id_,
                     .period = std::max(period_, kShortestPeriod),
                     .unbroken = kWatchedPeriod},
                    [this] {
                      // Before it looks: what comes from now on wakes it.
                      ring_->set_reader(is_watched_ && is_watched_() ? &thread_ : nullptr);
                      look();
                    });
  if (!started) {
    kLog.error("Listeners hear of run {} only at its end: {}", run_id_, started.error().message);
  }
}

std::size_t EventDispatcher::end_run(RunStatus status, Nanoseconds duration,
                                     std::optional<Joules> energy) {
  if (recorder_ == nullptr) {
    return 0;
  }
  thread_.stop();
  look();  // what came after its last one

  Event event = event_at(EventType::inference_complete, begin_ + duration);
  event.duration = duration;
  event.energy = energy;
  event.status = status;
  deliver(event);
  const std::size_t lost = ring_->dropped() + posts_lost_;
  ring_.reset();
  recorder_ = nullptr;
  return lost;
}

void EventDispatcher::look() {
  if (std::exchange(is_new_, false)) {
    deliver(event_at(EventType::run_started, begin_));
  }
  drain();
  sample_power();
}

void EventDispatcher::post(Event event) {
  const std::lock_guard lock(mutex_);
  if (posted_.size() < kMostPosted) {
    posted_.push_back(std::move(event));
  } else {
    ++posts_lost_;
  }
  thread_.wake();
}

void EventDispatcher::drain() {
  std::vector<Event> posted;
  {
    // Before the ring: what they tell of is in it by now, and is delivered first.
    const std::lock_guard lock(mutex_);
    posted.swap(posted_);
  }
  EventRecord record;
  while (ring_->pop(record)) {
    Event event = event_at(record.type, record.at);
    event.phase = record.phase;
    event.duration = record.duration;
    if (record.type == EventType::token_complete) {
      event.token = static_cast<std::size_t>(record.token);
      event.text = recorder_->token_text(record.token);
    } else {
      event.section = recorder_->name(record.name);
    }
    deliver(event);
  }
  for (const Event& event : posted) {
    deliver(event);
  }
}

void EventDispatcher::sample_power() {
  const Instant now = monotonic_clock().now();
  if (monitor_ == nullptr || now - last_sample_ < kPowerPeriod) {
    return;
  }
  last_sample_ = now;
  const PowerNow power = monitor_->now();
  Event event = event_at(EventType::power_sample, now);
  event.power = power.total;
  for (std::size_t domain = 0; domain < power.by_domain.size(); ++domain) {
    event.rails.push_back({monitor_->domains()[domain].name, power.by_domain[domain]});
  }
  if (power.total) {
    event.energy = power.energy_since_start - energy_at_begin_;
  }
  deliver(event);
}

void EventDispatcher::deliver(const Event& event) {
  for (const Listener& listener : listeners_) {
    try {
      listener(event);
    } catch (const std::exception& error) {
      kLog.error("A listener failed on {}: {}", to_string(event.type), error.what());
    } catch (...) {
      kLog.error("A listener failed on {} with an exception of unknown type",
                 to_string(event.type));
    }
  }
}

Event EventDispatcher::event_at(EventType type, Instant at) const {
  Event event;
  event.type = type;
  event.run_id = run_id_;
  event.at = at - begin_;
  return event;
}

}  // namespace enprof
