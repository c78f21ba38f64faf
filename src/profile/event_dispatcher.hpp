// Delivers events from the hot path to the listeners.
#pragma once

#include "enprof/model/event.hpp"
#include "enprof/power/power_monitor.hpp"

#include "record/event_ring.hpp"
#include "record/run_recorder.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// Calls listeners on a thread of its own, so that a slow listener delays other listeners only. One
/// that hangs is left behind with its thread when the run is over (AbandonableThread), so what it
/// refers to must live as long as it does. It gets no events of later runs until it returns.
///
/// Threads: add before begin_run; begin_run and end_run from the run's thread; the ring is the hot
/// path's.
class EventDispatcher {
 public:
  using Listener = std::function<void(const Event&)>;

  struct Options {
    Nanoseconds period{0};
    const Clock* clock = &monotonic_clock();  ///< the run's
    std::function<bool()> is_watched{};       ///< see ProfilerOptions
    /// How long the end of a run waits for a listener.
    Nanoseconds patience = std::chrono::seconds{2};
  };
  /// What became of a run's events.
  struct Outcome {
    std::size_t lost = 0;  ///< events that a listener missed because it was too slow, or hangs
    bool left_listener_behind = false;  ///< a listener did not return from an event
  };

  /// `monitor` may be null: then there are no power samples.
  EventDispatcher(const PowerMonitor* monitor, Options options)
      : monitor_(monitor), options_(std::move(options)) {}
  EventDispatcher(const EventDispatcher&) = delete;
  EventDispatcher& operator=(const EventDispatcher&) = delete;
  ~EventDispatcher();

  void add(Listener listener);

  /// The ring that the run's recorder writes to; null if there is no listener.
  [[nodiscard]] EventRing* make_ring(std::size_t capacity);
  /// Starts the thread and delivers the run's first event. The recorder must outlive end_run.
  void begin_run(std::string run_id, const RunRecorder& recorder);
  /// Delivers an event of another thread of the profiler, after those of the ring. If kMostPosted
  /// events wait already, it is dropped and counted. Threads: any, until end_run.
  void post(Event event);
  static constexpr std::size_t kMostPosted = 256;
  /// Delivers the remaining events, then inference_complete, and ends the thread or leaves it
  /// behind. After it the recorder and the monitor are no longer read. Does nothing if no run has
  /// begun.
  Outcome end_run(RunStatus status, Nanoseconds duration, std::optional<Joules> energy);

 private:
  struct Slot;
  class Delivery;

  const PowerMonitor* monitor_;
  Options options_;
  // Shared with threads that were left behind.
  std::vector<std::shared_ptr<Slot>> slots_;
  std::shared_ptr<Delivery> delivery_;  // null between runs
};

}  // namespace enprof
