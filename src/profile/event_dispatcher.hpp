// Carries events from the hot path to whoever listens.
#pragma once

#include "enprof/model/event.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/periodic_thread.hpp"
#include "profile/event_ring.hpp"
#include "profile/run_recorder.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// Calls listeners on a thread of its own, so that a slow one holds up nobody but other listeners.
/// Threads: add before begin_run; begin_run and end_run from the run's thread; the ring is the hot
/// path's.
class EventDispatcher {
 public:
  using Listener = std::function<void(const Event&)>;

  /// `monitor` may be null: then there are no power samples. For the others see ProfilerOptions.
  EventDispatcher(const PowerMonitor* monitor, Nanoseconds period, std::function<bool()> is_watched)
      : monitor_(monitor), period_(period), is_watched_(std::move(is_watched)) {}
  EventDispatcher(const EventDispatcher&) = delete;
  EventDispatcher& operator=(const EventDispatcher&) = delete;
  ~EventDispatcher();

  void add(Listener listener) { listeners_.push_back(std::move(listener)); }

  /// The ring that the run's recorder writes to; null where nobody listens.
  [[nodiscard]] EventRing* make_ring(std::size_t capacity);
  /// Starts the thread and tells of the run. The recorder must outlive end_run.
  void begin_run(std::string run_id, const RunRecorder& recorder);
  /// Delivers an event that another thread of the profiler made, after those of the ring. Where
  /// kMostPosted wait already, it is dropped, and counted. Threads: any, until end_run.
  void post(Event event);
  static constexpr std::size_t kMostPosted = 256;
  /// Delivers what is left, then inference_complete, and ends the thread. Returns how many events
  /// were lost because listeners were too slow.
  std::size_t end_run(RunStatus status, Nanoseconds duration, std::optional<Joules> energy);

 private:
  void look();
  void drain();
  void sample_power();
  void deliver(const Event& event);
  [[nodiscard]] Event event_at(EventType type, Instant at) const;

  const PowerMonitor* monitor_;
  Nanoseconds period_;
  std::function<bool()> is_watched_;
  std::vector<Listener> listeners_;
  std::unique_ptr<EventRing> ring_;
  const RunRecorder* recorder_ = nullptr;  // null between runs
  std::string run_id_;
  Instant begin_;
  bool is_new_ = false;  // nothing of the run is told yet
  Instant last_sample_;
  Joules energy_at_begin_;
  std::mutex mutex_;  // of the posts
  std::vector<Event> posted_;
  std::size_t posts_lost_ = 0;
  PeriodicThread thread_;
};

}  // namespace enprof
