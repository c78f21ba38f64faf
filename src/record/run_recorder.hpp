// Records the spans of a run. This is the hot path: an engine's thread calls it during inference.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/span.hpp"

#include "base/ring_buffer.hpp"
#include "record/event_ring.hpp"
#include "record/pass_record.hpp"
#include "record/recording.hpp"
#include "record/text_memory.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace enprof {

/// A span after a change. If several records have the same index, the last one is valid.
struct SpanRecord {
  std::int32_t index = 0;  ///< in RecordingView::spans
  bool open = false;       ///< its end is not known yet
  Span span;
};
using SpanRing = RingBuffer<SpanRecord>;

/// Records spans into memory that it allocates in its constructor. Between begin() and end() no
/// call allocates, locks, logs or throws, except that an event wakes the reader of the EventRing.
/// Spans and texts that do not fit are dropped and counted.
///
/// Threads: one thread records. Another may read the names and token texts of events, and of closed
/// spans, that it popped from a ring; the ring's memory order makes them visible.
class RunRecorder {
 public:
  struct Capacity {
    std::size_t spans = 0;
    std::size_t tokens = 0;
    std::size_t text_bytes = 0;
  };
  static constexpr std::size_t kMaxNames = TextMemory::kMostNames;
  static constexpr std::size_t kMaxNameLength = RecordedName::kLongest;
  static constexpr std::size_t kMaxOpen = 64;

  /// `events` gets the run's events; `spans` and `more_spans` get each change of a span. Each may
  /// be null. `memory` is where names and texts lie, if another process reads them: room for
  /// kMaxNames, capacity.tokens and capacity.text_bytes; it outlives this.
  RunRecorder(const Capacity& capacity, EventRing* events, const Clock& clock,
              SpanRing* spans = nullptr, SpanRing* more_spans = nullptr,
              const TextMemory* memory = nullptr);

  /// Starts the run's clock.
  void begin() noexcept;
  /// Closes all open spans and the run. Later calls record nothing.
  void end() noexcept;

  /// Ends the current phase and its open spans if `phase` is a later one; else does nothing.
  void enter(Phase phase) noexcept;
  /// Returns the span's index, which close() takes, or Span::kNone if the span was dropped.
  [[nodiscard]] std::int32_t open_section(Phase phase, std::string_view name) noexcept;
  [[nodiscard]] std::int32_t open_token(Phase phase) noexcept;
  /// Closes a span and the spans that were opened after it. Does nothing if the span is not open.
  void close(std::int32_t span) noexcept;
  /// Sets the text of an open token. For a token that is closed, drops and counts the text.
  void set_text(std::int32_t span, std::string_view text) noexcept;
  void discard_token(std::int32_t span) noexcept;

  /// Records a change of a span that another process recorded, in the order in which it did so. It
  /// began its work after begin(), and its spans' indices are the ones here. `name` is that of a
  /// section, `text` that of a token that ends. False if the record does not fit what was recorded
  /// before: one is missing, or it is damaged. Then nothing changes.
  [[nodiscard]] bool adopt(const SpanRecord& record, std::string_view name,
                           std::string_view text) noexcept;

  /// The current place in the run, for a pass that begins now.
  [[nodiscard]] PassPlace place() const noexcept {
    return {.parent = innermost(), .spans_before = static_cast<std::uint32_t>(span_count_)};
  }
  [[nodiscard]] const Capacity& capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] Instant begin_time() const noexcept { return spans_[0].begin; }
  [[nodiscard]] Instant end_time() const noexcept { return spans_[0].end; }
  [[nodiscard]] std::string_view name(std::uint16_t index) const noexcept;
  [[nodiscard]] std::string_view token_text(std::int32_t token) const noexcept;

  /// A view of what was recorded, valid as long as the recorder. It has no passes: the PassRecorder
  /// has them. Call it after end().
  [[nodiscard]] RecordingView recording() const;

 private:
  /// The memory of names and texts, where the caller passes none.
  struct OwnTexts {
    explicit OwnTexts(const Capacity& capacity)
        : names(kMaxNames), texts(capacity.tokens), bytes(capacity.text_bytes) {}
    std::vector<RecordedName> names;
    std::vector<RecordedText> texts;
    std::vector<char> bytes;
  };

  [[nodiscard]] bool adopt_opening(const SpanRecord& record, std::string_view name) noexcept;
  [[nodiscard]] bool adopt_change(const SpanRecord& record, std::string_view text) noexcept;
  void enter_at(Phase phase, Instant at) noexcept;
  std::int32_t append(const Span& span) noexcept;
  std::int32_t append_open(const Span& span) noexcept;
  void close_at(std::int32_t span, Instant at) noexcept;
  [[nodiscard]] std::uint16_t intern(std::string_view name) noexcept;
  [[nodiscard]] std::int32_t innermost() const noexcept;
  [[nodiscard]] bool is_open(std::int32_t span) const noexcept;
  void push_event(EventType type, const Span& span, Instant at) noexcept;
  void push_span(std::int32_t span, bool open) noexcept {
    for (SpanRing* ring : rings_) {
      if (ring != nullptr) {
        ring->push({.index = span, .open = open, .span = spans_[static_cast<std::size_t>(span)]});
      }
    }
  }

  const Clock& clock_;
  EventRing* events_;
  std::array<SpanRing*, 2> rings_;
  Capacity capacity_;
  // Plain arrays never move, so another thread may read names and texts meanwhile.
  std::unique_ptr<Span[]> spans_;
  std::unique_ptr<OwnTexts> own_texts_;
  TextMemory texts_;
  std::array<std::int32_t, kMaxOpen> open_{};
  std::size_t span_count_ = 0;
  std::size_t token_count_ = 0;
  std::size_t text_count_ = 0;
  std::size_t name_count_ = 0;
  std::size_t open_count_ = 0;
  std::int32_t phase_span_ = Span::kNone;
  std::size_t dropped_spans_ = 0;
  std::size_t dropped_text_bytes_ = 0;
  std::size_t cut_spans_ = 0;
  bool ended_ = false;
};

}  // namespace enprof
