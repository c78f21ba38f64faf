// Numbered events for watchers, who may resume after a break.
#pragma once

#include "enprof/base/units.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// One event as watchers get it. Converted to text once, however many watchers there are.
struct LiveEvent {
  std::uint64_t seq = 0;  ///< from the hub's first number, without gaps
  std::string run_id;
  std::string type;
  /// The envelope: {"seq":…,"run_id":…,"type":…,"t_ms":…,"data":…}
  std::string json;
};

/// Keeps the latest events, within limits. A watcher has no state here: it only remembers the
/// number of the last event that it has seen. So a watcher that is slow, or away for a while, costs
/// the others and the publisher nothing, and resuming works like continuing.
///
/// A restarted server has a new hub, and watchers come to it with numbers of the previous hub. A
/// hub whose `first` is first_number_at() its start distinguishes these numbers from its own.
///
/// Threads: any thread may call anything. publish() holds a lock only while appending, and never
/// waits for a watcher.
class EventHub {
 public:
  struct Limits {
    std::size_t events = 65'536;
    std::size_t bytes = std::size_t{32} << 20U;  ///< of their texts
  };

  /// `first` is the number of the first event, at least 1.
  explicit EventHub(std::uint64_t first = 1) : EventHub(Limits{}, first) {}
  explicit EventHub(Limits limits, std::uint64_t first = 1)
      : limits_(limits), first_number_(first), last_(first - 1) {}
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  /// Unix time in microseconds: greater than all numbers of an earlier hub, unless that published
  /// more than a million events per second or the clock was set back. JavaScript represents it
  /// exactly: it is below 2^53 until the year 2255.
  [[nodiscard]] static std::uint64_t first_number_at(std::chrono::system_clock::time_point start);

  /// Appends an event and returns its number. `data` is JSON text; `at` is the time since the run
  /// began. Then calls the subscribers.
  std::uint64_t publish(std::string_view run_id, std::string_view type, Nanoseconds at,
                        std::string_view data);

  /// The events that a watcher has not seen.
  struct Batch {
    // Shared, since the hub may drop an event while it is being sent.
    std::vector<std::shared_ptr<const LiveEvent>> events;
    /// Events of this hub after `since` that were dropped.
    std::uint64_t missed = 0;
    /// `since` belongs to another hub, so the number of missed events is unknown.
    bool restarted = false;
    [[nodiscard]] bool is_gap() const { return missed > 0 || restarted; }
    /// Pass this as `since` the next time.
    std::uint64_t next = 0;
  };
  /// At most `most` events after number `since`; all that are kept if `since` is 0 or cannot be a
  /// number of this hub (below its first, or beyond its last).
  [[nodiscard]] Batch read(std::uint64_t since, std::size_t most) const;
  /// The number of the latest event; before the first event, the number before that of the first.
  [[nodiscard]] std::uint64_t last() const;
  /// The number of the oldest event that is kept; 0 if there are none.
  [[nodiscard]] std::uint64_t first() const;

  /// Calls `wake` after each event, on the publisher's thread: it must be fast and must not throw.
  /// Returns a number for unsubscribe(); after that returns, `wake` is not called any more.
  [[nodiscard]] std::size_t subscribe(std::function<void()> wake);
  void unsubscribe(std::size_t subscription);

 private:
  [[nodiscard]] bool is_over_limit() const;

  const Limits limits_;
  const std::uint64_t first_number_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<std::shared_ptr<const LiveEvent>> events_;
  std::size_t bytes_ = 0;
  std::uint64_t last_;

  std::mutex wake_mutex_;  // guards what follows; held while calling subscribers
  std::vector<std::pair<std::size_t, std::function<void()>>> subscribers_;
  std::size_t next_subscription_ = 1;
};

}  // namespace enprof
