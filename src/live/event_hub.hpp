// What happens, numbered, for whoever watches: now, or after a break.
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

/// One event as watchers get it. Made into text once, however many they are.
struct LiveEvent {
  std::uint64_t seq = 0;  ///< from the hub's first number, without gaps
  std::string run_id;
  std::string type;
  /// The envelope: {"seq":…,"run_id":…,"type":…,"t_ms":…,"data":…}
  std::string json;
};

/// Keeps the latest events, as many as a bound allows. Watchers hold nothing here but a number: the
/// last event that they have seen. So one that is slow, or gone for a while, costs the others and
/// the publisher nothing, and resuming after a break is the same as going on.
///
/// A server that starts anew has another hub, and watchers come to it with numbers of the one
/// before. Hubs that begin with first_number_at() the time of their start tell these apart from
/// their own.
///
/// Threads: any thread may call anything. publish() holds a lock for as long as it takes to append,
/// never for as long as a watcher takes.
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

  /// Unix time in microseconds: beyond all numbers of an earlier hub, unless that published more
  /// than a million events a second or the clock was set back. JavaScript's numbers hold it
  /// exactly: it is below 2^53 until the year 2255.
  [[nodiscard]] static std::uint64_t first_number_at(std::chrono::system_clock::time_point start);

  /// Appends an event and returns its number. `data` is a JSON value, as text; `at` is the time
  /// since the run began. Then tells the subscribers that there is something to read.
  std::uint64_t publish(std::string_view run_id, std::string_view type, Nanoseconds at,
                        std::string_view data);

  /// What a watcher has not seen.
  struct Batch {
    // Shared: an event that a watcher is being sent may be forgotten here meanwhile.
    std::vector<std::shared_ptr<const LiveEvent>> events;
    /// Events of this hub after `since` that are not kept any more.
    std::uint64_t missed = 0;
    /// `since` is of another hub: how many of its events were missed, nobody knows.
    bool restarted = false;
    [[nodiscard]] bool is_gap() const { return missed > 0 || restarted; }
    /// To be passed as `since` the next time.
    std::uint64_t next = 0;
  };
  /// The events after number `since`, `most` at most; after 0, all that is kept. After a number
  /// that this hub cannot have given, too: below its first, or beyond its last.
  [[nodiscard]] Batch read(std::uint64_t since, std::size_t most) const;
  /// The number of the latest event; before the first event, the number before its.
  [[nodiscard]] std::uint64_t last() const;
  /// The oldest event that is kept; 0 where none is.
  [[nodiscard]] std::uint64_t first() const;

  /// Calls `wake` after each event, on the publisher's thread: it must be quick and must not throw.
  /// Returns a number for unsubscribe(), after whose return `wake` is not called any more.
  [[nodiscard]] std::size_t subscribe(std::function<void()> wake);
  void unsubscribe(std::size_t subscription);

 private:
  [[nodiscard]] bool is_over_limit() const;

  const Limits limits_;
  const std::uint64_t first_number_;
  mutable std::mutex mutex_;  // guards the events
  std::deque<std::shared_ptr<const LiveEvent>> events_;
  std::size_t bytes_ = 0;
  std::uint64_t last_;

  std::mutex wake_mutex_;  // guards the subscribers; held while they are called
  std::vector<std::pair<std::size_t, std::function<void()>>> subscribers_;
  std::size_t next_subscription_ = 1;
};

}  // namespace enprof
