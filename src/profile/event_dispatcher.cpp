#include "profile/event_dispatcher.hpp"

#include "base/log.hpp"
#include "base/periodic_thread.hpp"
#include "base/start_thread.hpp"
#include "base/thread_name.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"events"};
constexpr Nanoseconds kShortestPeriod = std::chrono::milliseconds{1};
/// Between two deliveries to those who watch: they are shown 30 pictures a second.
constexpr Nanoseconds kWatchedPeriod = std::chrono::milliseconds{33};
constexpr Nanoseconds kPowerPeriod = std::chrono::milliseconds{100};

}  // namespace

struct EventDispatcher::Slot {
  Listener listener;
  std::atomic<bool> busy{false};  // a thread is in it, perhaps one of an earlier run
};

/// The events of one run. One thread at a time delivers them: the one whose turn it is. A thread
/// that hangs in a listener loses its turn, and touches nothing but the delivery itself when it
/// comes back.
class EventDispatcher::Delivery {
 public:
  using Turn = std::uint64_t;

  Delivery(std::vector<std::shared_ptr<Slot>> slots, std::size_t capacity)
      : slots_(std::move(slots)), ring_(capacity) {}

  EventRing* ring() { return &ring_; }
  [[nodiscard]] bool has_begun() const { return recorder_ != nullptr; }

  void begin(std::string run_id, const RunRecorder& recorder, const PowerMonitor* monitor,
             const Options& options) {
    run_id_ = std::move(run_id);
    recorder_ = &recorder;
    monitor_ = monitor;
    clock_ = options.clock;
    begin_ = recorder.begin_time();
    last_sample_ = begin_;
    energy_at_begin_ = monitor != nullptr ? monitor->now().energy_since_start : Joules{0};
    is_new_ = true;
    const auto started =
        thread_.start({.name = "enprof-events",
                       .purpose = "tell of run " + run_id_,
                       .period = std::max(options.period, kShortestPeriod),
                       .unbroken = kWatchedPeriod},
                      [this, is_watched = options.is_watched, turn = turn_] {
                        // Before it looks: what comes from now on wakes it.
                        ring_.set_reader(is_watched && is_watched() ? &thread_ : nullptr);
                        look(turn);
                      });
    if (!started) {
      kLog.error("Listeners hear of run {} only at its end: {}", run_id_, started.error().message);
    }
  }

  void post(Event event) {
    const std::lock_guard lock(posts_mutex_);
    if (posted_.size() < kMostPosted) {
      posted_.push_back(std::move(event));
    } else {
      ++lost_;
    }
    thread_.wake();
  }

  /// Whoever has the turn up to now has it no more.
  [[nodiscard]] Turn take_turn() {
    const std::lock_guard lock(mutex_);
    is_done_ = false;
    return ++turn_;
  }

  /// Waits for the thread of the run.
  void stop_thread() { thread_.stop(); }

  /// Delivers what is left and the last event.
  void finish(Turn turn, const Event& last) {
    look(turn);
    deliver(turn, last);
    {
      const std::lock_guard lock(mutex_);
      is_done_ = is_done_ || turn == turn_;
    }
    done_.notify_all();
  }

  /// False where finish() was not done in time.
  [[nodiscard]] bool wait_until_done(Nanoseconds patience) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, patience, [this] { return is_done_; });
  }

  /// How many events some listener has missed. Counts those that are left over.
  [[nodiscard]] std::size_t lost() {
    const std::lock_guard lock(mutex_);
    std::size_t left = 0;
    for (EventRecord record; ring_.pop(record);) {
      ++left;
    }
    return ring_.dropped() + lost_ + left;
  }

  [[nodiscard]] Event event_at(EventType type, Instant at) const {
    Event event;
    event.type = type;
    event.run_id = run_id_;
    event.at = at - begin_;
    return event;
  }

  [[nodiscard]] Instant begin_time() const { return begin_; }

 private:
  void look(Turn turn) {
    if (is_new_.exchange(false)) {
      deliver(turn, event_at(EventType::run_started, begin_));
    }
    std::vector<Event> posted;
    {
      // Before the ring: what they tell of is in it by now, and is delivered first.
      const std::lock_guard lock(posts_mutex_);
      posted.swap(posted_);
    }
    while (const auto event = next(turn)) {
      deliver(turn, *event);
    }
    for (const Event& event : posted) {
      deliver(turn, event);
    }
    if (const auto sample = sample_power(turn)) {
      deliver(turn, *sample);
    }
  }

  /// Empty where there is none, or another has the turn.
  [[nodiscard]] std::optional<Event> next(Turn turn) {
    const std::lock_guard lock(mutex_);
    EventRecord record;
    if (turn != turn_ || !ring_.pop(record)) {
      return std::nullopt;
    }
    Event event = event_at(record.type, record.at);
    event.phase = record.phase;
    event.duration = record.duration;
    if (record.type == EventType::token_complete) {
      event.token = static_cast<std::size_t>(record.token);
      event.text = recorder_->token_text(record.token);
    } else {
      event.section = recorder_->name(record.name);
    }
    return event;
  }

  [[nodiscard]] std::optional<Event> sample_power(Turn turn) {
    const Instant now = clock_->now();
    const std::lock_guard lock(mutex_);
    if (turn != turn_ || monitor_ == nullptr || now - last_sample_ < kPowerPeriod) {
      return std::nullopt;
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
    return event;
  }

  [[nodiscard]] bool has_turn(Turn turn) {
    const std::lock_guard lock(mutex_);
    return turn == turn_;
  }

  void deliver(Turn turn, const Event& event) {
    for (const std::shared_ptr<Slot>& slot : slots_) {
      if (!has_turn(turn)) {
        return;
      }
      if (slot->busy.exchange(true)) {
        ++lost_;
        continue;
      }
      try {
        slot->listener(event);
      } catch (const std::exception& error) {
        kLog.error("A listener failed on {}: {}", to_string(event.type), error.what());
      } catch (...) {
        kLog.error("A listener failed on {} with an exception of unknown type",
                   to_string(event.type));
      }
      slot->busy = false;
    }
  }

  const std::vector<std::shared_ptr<Slot>> slots_;
  EventRing ring_;
  std::string run_id_;
  const Clock* clock_ = nullptr;
  Instant begin_;
  std::atomic<std::size_t> lost_{0};

  std::mutex mutex_;  // of what the run lends, and of whose turn it is
  Turn turn_ = 1;
  const RunRecorder* recorder_ = nullptr;
  const PowerMonitor* monitor_ = nullptr;
  Instant last_sample_;
  Joules energy_at_begin_;
  bool is_done_ = false;
  std::condition_variable done_;

  std::atomic<bool> is_new_{false};  // nothing of the run is told yet
  std::mutex posts_mutex_;
  std::vector<Event> posted_;

  PeriodicThread thread_;
};

EventDispatcher::~EventDispatcher() {
  try {
    end_run(RunStatus::failed, Nanoseconds{0}, std::nullopt);
  } catch (const std::exception& error) {  // out of memory
    kLog.error("Listeners do not hear of the end of a run: {}", error.what());
  }
}

void EventDispatcher::add(Listener listener) {
  auto slot = std::make_shared<Slot>();
  slot->listener = std::move(listener);
  slots_.push_back(std::move(slot));
}

EventRing* EventDispatcher::make_ring(std::size_t capacity) {
  delivery_ = slots_.empty() ? nullptr : std::make_shared<Delivery>(slots_, capacity);
  return delivery_ ? delivery_->ring() : nullptr;
}

void EventDispatcher::begin_run(std::string run_id, const RunRecorder& recorder) {
  if (delivery_) {
    delivery_->begin(std::move(run_id), recorder, monitor_, options_);
  }
}

void EventDispatcher::post(Event event) {
  if (delivery_) {
    delivery_->post(std::move(event));
  }
}

EventDispatcher::Outcome EventDispatcher::end_run(RunStatus status, Nanoseconds duration,
                                                  std::optional<Joules> energy) {
  const std::shared_ptr<Delivery> delivery = std::exchange(delivery_, nullptr);
  if (!delivery || !delivery->has_begun()) {
    return {};
  }
  Event last = delivery->event_at(EventType::inference_complete, delivery->begin_time() + duration);
  last.duration = duration;
  last.energy = energy;
  last.status = status;

  Outcome outcome;
  bool is_first = true;
  bool is_done = false;
  // Each that hangs takes one thread with it; the others hear the rest from the next.
  for (std::size_t attempt = 0; !is_done && attempt <= slots_.size(); ++attempt) {
    const auto turn = is_first ? Delivery::Turn{1} : delivery->take_turn();
    auto helper = start_thread("The thread that ends a run for its listeners",
                               [delivery, turn, last, stops = std::exchange(is_first, false)] {
                                 name_this_thread("enprof-events");
                                 if (stops) {
                                   delivery->stop_thread();
                                 }
                                 delivery->finish(turn, last);
                               });
    if (!helper) {  // then nothing can be waited for with a limit
      if (attempt == 0) {
        delivery->stop_thread();
        delivery->finish(turn, last);
      }
      break;
    }
    is_done = delivery->wait_until_done(options_.patience);
    if (is_done) {
      helper->join();
    } else {
      outcome.left_listener_behind = true;
      helper->detach();
    }
  }
  static_cast<void>(delivery->take_turn());  // the recorder and the monitor are the run's again
  outcome.lost = delivery->lost();
  if (outcome.left_listener_behind) {
    kLog.error("A listener of run {} did not come back from an event: it is left behind",
               last.run_id);
  }
  return outcome;
}

}  // namespace enprof
