// Events on their way from the hot path to the thread that delivers them.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/span.hpp"

#include "base/periodic_thread.hpp"
#include "base/ring_buffer.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace enprof {

/// An event as the hot path writes it: no strings, no pointers.
struct EventRecord {
  EventType type = EventType::section_start;
  Phase phase = Phase::pre_inference;
  std::uint16_t name = 0;  ///< of a section: an index into RecordingView::names
  std::int32_t token = Span::kNone;
  Instant at;
  Nanoseconds duration{0};
};

/// Events that wait for delivery. Threads: one thread pushes; another calls everything else.
class EventRing {
 public:
  explicit EventRing(std::size_t capacity) : events_(capacity) {}

  /// Drops the event, and counts it, if the ring is full.
  void push(const EventRecord& event) noexcept {
    events_.push(event);
    if (PeriodicThread* const reader = reader_.load(std::memory_order_relaxed)) {
      reader->wake();
    }
  }
  /// False if the ring is empty.
  bool pop(EventRecord& event) noexcept { return events_.pop(event); }
  [[nodiscard]] std::size_t dropped() const noexcept { return events_.dropped(); }

  /// From now on each event wakes this thread, which outlives the ring. Null: it wakes no thread.
  void set_reader(PeriodicThread* reader) noexcept {
    reader_.store(reader, std::memory_order_relaxed);
  }

 private:
  RingBuffer<EventRecord> events_;
  std::atomic<PeriodicThread*> reader_{nullptr};
};

}  // namespace enprof
