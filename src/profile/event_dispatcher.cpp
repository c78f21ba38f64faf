#include "profile/event_dispatcher.hpp"

#include "base/abandonable_thread.hpp"
#include "base/log.hpp"
#include "base/periodic_thread.hpp"
#include "base/thread_name.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"events"};
constexpr Nanoseconds kShortestPeriod = std::chrono::milliseconds{1};
/// Time between two deliveries to watchers: they see at most 30 updates a second.
constexpr Nanoseconds kWatchedPeriod = std::chrono::milliseconds{33};
constexpr Nanoseconds kPowerPeriod = std::chrono::milliseconds{100};

}  // namespace

struct EventDispatcher::Slot {
  Listener listener;
  std::atomic<bool> busy{false};  // a thread is in it, perhaps one of an earlier run
};

/// The events of one run. One thread at a time delivers them: the one whose turn it is. A thread
/// that hangs in a listener loses its turn; when it returns it accesses only this object.
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
                       .purpose = "send events of run " + run_id_,
                       .period = std::max(options.period, kShortestPeriod),
                       .unbroken = kWatchedPeriod,
                       .clock = options.clock},
                      [this, is_watched = options.is_watched, turn = turn_] {
                        // First, so that events from now on wake the thread.
                        ring_.set_reader(is_watched && is_watched() ? &thread_ : nullptr);
                        deliver_waiting(turn);
                      });
    if (!started) {
      kLog.error("Listeners get the events of run {} only at its end: {}", run_id_,
                 started.error().message);
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

  /// The thread whose turn it was until now delivers nothing more.
  [[nodiscard]] Turn start_new_turn() {
    const std::lock_guard lock(mutex_);
    return ++turn_;
  }

  /// Waits for the thread of the run.
  void stop_thread() { thread_.stop(); }

  /// Delivers what is left and the last event.
  void finish(Turn turn, const Event& last) {
    deliver_waiting(turn);
    deliver(turn, last);
  }

  /// The number of events that some listener has missed, those that remain included.
  [[nodiscard]] std::size_t lost() {
    const std::lock_guard lock(mutex_);
    std::size_t left = 0;
    for (EventRecord record; ring_.pop(record);) {
      ++left;
    }
    return ring_.dropped() + lost_ + left;
  }

  [[nodiscard]] Event event_at(Instant at, EventData data) const {
    return {.run_id = run_id_, .at = at - begin_, .data = std::move(data)};
  }

  [[nodiscard]] Instant begin_time() const { return begin_; }

 private:
  void deliver_waiting(Turn turn) {
    if (is_new_.exchange(false)) {
      deliver(turn, event_at(begin_, events::RunStarted{}));
    }
    std::vector<Event> posted;
    {
      // Before the ring is read: the tokens that these events refer to are in the ring by now, and
      // are delivered first.
      const std::lock_guard lock(posts_mutex_);
      posted.swap(posted_);
    }
    while (const auto event = next_event(turn)) {
      deliver(turn, *event);
    }
    for (const Event& event : posted) {
      deliver(turn, event);
    }
    if (const auto sample = sample_power(turn)) {
      deliver(turn, *sample);
    }
  }

  /// Empty if there is no event, or if it is another thread's turn.
  [[nodiscard]] std::optional<Event> next_event(Turn turn) {
    const std::lock_guard lock(mutex_);
    EventRecord record;
    if (turn != turn_ || !ring_.pop(record)) {
      return std::nullopt;
    }
    return event_at(record.at, data_of(record));
  }

  [[nodiscard]] EventData data_of(const EventRecord& record) const {
    switch (record.type) {
      case EventType::section_start:
        return events::SectionStart{.phase = record.phase,
                                    .section = std::string{recorder_->name(record.name)}};
      case EventType::token_complete:
        return events::TokenComplete{.phase = record.phase,
                                     .index = static_cast<std::size_t>(record.token),
                                     .text = std::string{recorder_->token_text(record.token)},
                                     .duration = record.duration};
      default:
        return events::SectionEnd{.phase = record.phase,
                                  .section = std::string{recorder_->name(record.name)},
                                  .duration = record.duration};
    }
  }

  [[nodiscard]] std::optional<Event> sample_power(Turn turn) {
    const std::lock_guard lock(mutex_);
    if (turn != turn_ || monitor_ == nullptr) {
      return std::nullopt;
    }
    const Instant now = clock_->now();
    if (now - last_sample_ < kPowerPeriod) {
      return std::nullopt;
    }
    last_sample_ = now;
    const PowerNow power = monitor_->now();
    events::PowerSample sample{.power = power.total};
    for (std::size_t domain = 0; domain < power.by_domain.size(); ++domain) {
      sample.rails.push_back({monitor_->domains()[domain].name, power.by_domain[domain]});
    }
    if (power.total) {
      sample.energy = power.energy_since_start - energy_at_begin_;
    }
    return event_at(now, std::move(sample));
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
        kLog.error("A listener failed on {}: {}", to_string(event.type()), error.what());
      } catch (...) {
        kLog.error("A listener failed on {} with an exception of unknown type",
                   to_string(event.type()));
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

  std::atomic<bool> is_new_{false};  // no event of the run was sent yet
  std::mutex posts_mutex_;
  std::vector<Event> posted_;

  PeriodicThread thread_;
};

EventDispatcher::~EventDispatcher() {
  try {
    end_run(RunStatus::failed, Nanoseconds{0}, std::nullopt);
  } catch (const std::exception& error) {  // out of memory
    kLog.error("Listeners do not get the end of a run: {}", error.what());
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
  const Event last = delivery->event_at(
      delivery->begin_time() + duration,
      events::InferenceComplete{.status = status, .duration = duration, .energy = energy});

  Outcome outcome;
  bool is_first = true;
  bool is_done = false;
  // Each listener that hangs blocks one thread; the next thread delivers the rest to the others.
  for (std::size_t attempt = 0; !is_done && attempt <= slots_.size(); ++attempt) {
    const auto turn = is_first ? Delivery::Turn{1} : delivery->start_new_turn();
    auto helper =
        AbandonableThread::start("The thread that ends a run for its listeners",
                                 [delivery, turn, last, stops = std::exchange(is_first, false)] {
                                   name_this_thread("enprof-events");
                                   if (stops) {
                                     delivery->stop_thread();
                                   }
                                   delivery->finish(turn, last);
                                 });
    if (!helper) {  // without a thread there is no limit on the wait
      if (attempt == 0) {
        delivery->stop_thread();
        delivery->finish(turn, last);
      }
      break;
    }
    is_done = helper->wait_for(options_.patience, *options_.clock);
    if (!is_done) {
      outcome.left_listener_behind = true;
      helper->abandon();
    }
  }
  static_cast<void>(
      delivery->start_new_turn());  // the recorder and the monitor are the run's again
  outcome.lost = delivery->lost();
  if (outcome.left_listener_behind) {
    kLog.error("A listener of run {} did not come back from an event: it is left behind",
               last.run_id);
  }
  return outcome;
}

}  // namespace enprof
