// The hot path of the operation clock: what is written while a graph is being computed.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/operation.hpp"

#include "base/ring_buffer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace enprof {

/// Where a pass lies among the spans of its run.
struct PassPlace {
  std::int32_t parent = 0;         ///< index of the span that is open around it
  std::uint32_t spans_before = 0;  ///< spans that were opened before it
};

/// What is known of a pass.
enum class PassState : std::uint8_t {
  complete,    ///< a stamp for each operation
  discarded,   ///< on purpose: only its time is known
  mismatched,  ///< another number of stamps than its plan has operations, or no such plan
  dropped,     ///< there was no room for its stamps
};

/// One pass, as the hot path writes it: no pointers.
struct PassRecord {
  Instant begin;
  Instant start;  ///< of the first operation
  Instant end;
  PassPlace place;
  std::uint32_t plan = 0;
  std::uint32_t first_stamp = 0;
  PassState state = PassState::complete;
};

/// A pass that is over, and where its stamps lie: they stay there.
struct PassTicket {
  PassRecord pass;
  std::int32_t index = 0;
  const Instant* stamps = nullptr;
  std::uint32_t count = 0;  ///< of stamps; 0 unless it is complete
};
using PassRing = RingBuffer<PassTicket>;

/// What the passes of a run have left behind, to be read after it ended.
struct PassRecording {
  std::vector<OperationPlan> plans;
  std::vector<PassRecord> passes;  ///< by begin
  /// The end of each operation of each complete pass, one after another.
  std::vector<Instant> stamps;
  std::size_t lost_passes = 0;  ///< of which nothing is known: their time is their section's
};

/// Records passes into memory that it allocated beforehand. Only add_plan() allocates; what does
/// not fit is dropped and counted.
/// Threads: one. Another may read the stamps of passes that it got through the ring.
class PassRecorder {
 public:
  static constexpr std::int32_t kNone = -1;
  /// Operations of a pass for which room is made before anything is known of its graph: 45 layers
  /// of 22. A plan with more finds room when it is added, at the price of that moment.
  static constexpr std::size_t kUsualOperations = 1024;

  struct Capacity {
    std::size_t passes = 0;      ///< 0: none is kept
    std::size_t operations = 0;  ///< of all passes together
  };

  /// `passes` and `more_passes` may be null: who follows.
  PassRecorder(const Capacity& capacity, const Clock& clock, PassRing* passes = nullptr,
               PassRing* more_passes = nullptr);

  [[nodiscard]] std::uint32_t add_plan(SharedPlan plan);
  /// The pass's index, or kNone where it was lost; to be given to the calls below, which leave a
  /// pass alone that is not the open one.
  [[nodiscard]] std::int32_t open(std::uint32_t plan, PassPlace place) noexcept;
  void start(std::int32_t pass) noexcept {
    if (pass == open_ && pass != kNone && next_ == first_ && extra_ == 0) {
      passes_[static_cast<std::size_t>(pass)].start = clock_.now();
    }
  }
  void stamp(std::int32_t pass) noexcept {
    if (pass != open_) {
      return;
    }
    if (next_ != limit_) {
      *next_++ = clock_.now();
    } else {
      ++extra_;
    }
  }
  void discard(std::int32_t pass) noexcept;
  void close(std::int32_t pass) noexcept;
  /// A pass that was stamped elsewhere and ends now: its first operation began at `start`, and they
  /// ended at `ends`. None: discarded.
  void add(std::uint32_t plan, PassPlace place, Instant begin, Instant start,
           std::span<const Instant> ends) noexcept;
  /// Closes what is open; nothing is recorded after it.
  void end() noexcept;

  /// Copies out what was recorded. After end().
  [[nodiscard]] PassRecording recording() const;

 private:
  struct Chunk {
    std::unique_ptr<Instant[]> stamps;
    std::size_t size = 0;
    std::size_t used = 0;
    std::size_t offset = 0;  // of its first stamp among all
  };

  void grow(std::size_t stamps);
  [[nodiscard]] Instant* reserve(std::size_t count, std::uint32_t& index) noexcept;

  const Clock& clock_;
  std::array<PassRing*, 2> followed_;
  Capacity capacity_;
  std::vector<SharedPlan> plans_;
  std::vector<Chunk> chunks_;
  std::size_t stamp_capacity_ = 0;
  std::size_t chunk_ = 0;  // that is being filled
  std::unique_ptr<PassRecord[]> passes_;
  std::size_t pass_count_ = 0;
  std::size_t lost_passes_ = 0;
  // Of the pass that is open.
  std::int32_t open_ = kNone;
  Instant* first_ = nullptr;
  Instant* next_ = nullptr;
  Instant* limit_ = nullptr;
  std::size_t extra_ = 0;  // stamps without room
  bool ended_ = false;
};

}  // namespace enprof
