// The hot path: what an engine's thread writes while it works.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/event.hpp"
#include "enprof/model/span.hpp"

#include "base/ring_buffer.hpp"
#include "record/event_ring.hpp"
#include "record/pass_recorder.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// A span as it was when something about it changed. Of those with one index the last one counts.
struct SpanRecord {
  std::int32_t index = 0;  ///< in Recording::spans
  bool open = false;       ///< its end is not known yet
  Span span;
};
using SpanRing = RingBuffer<SpanRecord>;

/// What a run has left behind, to be read after it ended.
struct Recording {
  std::vector<Span> spans;  ///< the run first; as attribute() wants them
  std::vector<std::string> names;
  std::vector<std::string> token_texts;  ///< by token index
  std::size_t dropped_spans = 0;
  std::size_t dropped_text_bytes = 0;
  std::size_t cut_spans = 0;  ///< that ended because another phase began
  PassRecording passes;
};

/// Records spans into memory that it allocated beforehand. No call between begin() and end()
/// allocates, locks, logs or throws, but for waking the reader of an EventRing; what does not fit
/// is dropped and counted.
///
/// Threads: one thread records. Another may read names and token texts of events, and of spans that
/// are closed, that it got through a ring, for the ring's order makes them visible.
class RunRecorder {
 public:
  struct Capacity {
    std::size_t spans = 0;
    std::size_t tokens = 0;
    std::size_t text_bytes = 0;
  };
  static constexpr std::size_t kMaxNames = 64;
  static constexpr std::size_t kMaxNameLength = 48;
  static constexpr std::size_t kMaxOpen = 64;

  /// `events` may be null: then nobody listens. So may `spans` and `more_spans`: who follows.
  RunRecorder(const Capacity& capacity, EventRing* events, const Clock& clock,
              SpanRing* spans = nullptr, SpanRing* more_spans = nullptr);

  /// Starts the run's clock.
  void begin() noexcept;
  /// Closes everything that is open, and the run. Later calls of any kind do nothing.
  void end() noexcept;

  /// A later phase ends the present one and all that is open in it.
  void enter(Phase phase) noexcept;
  /// The span's index, or Span::kNone where it was dropped; to be given to close().
  [[nodiscard]] std::int32_t open_section(Phase phase, std::string_view name) noexcept;
  [[nodiscard]] std::int32_t open_token(Phase phase) noexcept;
  /// Closes a span and all that was opened after it. A span that is not open is left alone.
  void close(std::int32_t span) noexcept;
  /// Of a token that is open; of others it is dropped, and counted.
  void set_text(std::int32_t span, std::string_view text) noexcept;
  void discard_token(std::int32_t span) noexcept;

  /// Where in the run we are, for a pass to be put there.
  [[nodiscard]] PassPlace place() const noexcept {
    return {.parent = innermost(), .spans_before = static_cast<std::uint32_t>(span_count_)};
  }
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] Instant begin_time() const noexcept { return spans_[0].begin; }
  [[nodiscard]] Instant end_time() const noexcept { return spans_[0].end; }
  [[nodiscard]] std::string_view name(std::uint16_t index) const noexcept;
  [[nodiscard]] std::string_view token_text(std::int32_t token) const noexcept;

  /// Copies out what was recorded. After end().
  [[nodiscard]] Recording recording() const;

 private:
  struct Name {
    std::array<char, kMaxNameLength> text{};
    std::size_t length = 0;
  };
  struct Text {
    std::size_t offset = 0;
    std::size_t length = 0;
  };

  void enter_at(Phase phase, Instant at) noexcept;
  std::int32_t append(const Span& span) noexcept;
  std::int32_t push(const Span& span) noexcept;
  void close_at(std::int32_t span, Instant at) noexcept;
  [[nodiscard]] std::uint16_t intern(std::string_view name) noexcept;
  [[nodiscard]] std::int32_t innermost() const noexcept;
  [[nodiscard]] bool is_open(std::int32_t span) const noexcept;
  void publish(EventType type, const Span& span, Instant at) noexcept;
  void follow(std::int32_t span, bool open) noexcept {
    for (SpanRing* ring : followed_) {
      if (ring != nullptr) {
        ring->push({.index = span, .open = open, .span = spans_[static_cast<std::size_t>(span)]});
      }
    }
  }

  const Clock& clock_;
  EventRing* events_;
  std::array<SpanRing*, 2> followed_;
  Capacity capacity_;
  // Plain arrays: they never move, so that a listener may read what was published.
  std::unique_ptr<Span[]> spans_;
  std::unique_ptr<Text[]> texts_;
  std::unique_ptr<char[]> text_bytes_;
  std::array<Name, kMaxNames> names_{};
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
