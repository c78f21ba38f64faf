// Records passes and the times of their operations. This is the hot path of the operation clock.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/operation.hpp"

#include "base/ring_buffer.hpp"
#include "record/pass_record.hpp"
#include "record/recording.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace enprof {

using PassRing = RingBuffer<PassEntry>;

/// Records passes into memory that it allocates in its constructor and never moves. Afterwards only
/// add_plan() allocates; passes, stamps and sequences that do not fit are dropped and counted.
/// Threads: one thread records. Other threads may read, in memory(), the stamps and sequences of
/// passes that they popped from a ring; the ring's memory order makes them visible.
class PassRecorder {
 public:
  static constexpr std::int32_t kNone = -1;
  /// Operations of a usual pass, 45 layers of 22: memory for them is touched before the graph is
  /// known. For a plan with more operations add_plan() touches the rest, which takes time then.
  static constexpr std::size_t kUsualOperations = 1024;

  struct Capacity {
    std::size_t passes = 0;      ///< 0: no pass is recorded
    std::size_t operations = 0;  ///< of all passes together
    std::size_t sequences = 0;   ///< of all passes together; 0: as many as passes
  };

  /// `passes` and `more_passes` are rings that get each pass when it ends; each may be null.
  /// `memory` has room for capacity.operations stamps and capacity.sequences sequences, and
  /// outlives this; null: memory of its own.
  PassRecorder(const Capacity& capacity, const Clock& clock, PassRing* passes = nullptr,
               PassRing* more_passes = nullptr, const PassMemory* memory = nullptr);

  [[nodiscard]] const Capacity& capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint32_t add_plan(SharedPlan plan);
  [[nodiscard]] std::size_t plan_count() const noexcept { return plans_.size(); }
  /// Opens a pass; a pass that is still open is closed first. Returns its index, or kNone if it is
  /// not recorded. The calls below take this index; they do nothing if that pass is not open.
  /// `batch` is empty if the batch is not known.
  [[nodiscard]] std::int32_t open(std::uint32_t plan, PassPlace place,
                                  std::span<const BatchSequence> batch = {}) noexcept;
  void start(std::int32_t pass) noexcept {
    if (pass == open_ && pass != kNone && next_ == first_ && extra_ == 0) {
      const Instant now = clock_.now();
      passes_[static_cast<std::size_t>(pass)].start = now;
      writer_.begin(now);
    }
  }
  void stamp(std::int32_t pass) noexcept {
    if (pass != open_) {
      return;
    }
    if (next_ != limit_) {
      *next_++ = writer_.next(clock_.now());
    } else {
      ++extra_;
    }
  }
  void discard(std::int32_t pass) noexcept;
  void close(std::int32_t pass) noexcept;
  /// Records a pass that ends now and whose operations were timed elsewhere: the first began at
  /// `start`, and they ended at `ends`. If `ends` is empty, the pass is recorded as discarded.
  void add(std::uint32_t plan, PassPlace place, Instant begin, Instant start,
           std::span<const Instant> ends, std::span<const BatchSequence> batch = {}) noexcept;
  /// Records a pass that another process recorded, with its stamps and sequences. A pass that
  /// contradicts its plan counts as mismatched.
  void adopt(const PassRecord& pass, std::span<const StampCode> stamps,
             std::span<const BatchSequence> batch) noexcept;
  /// Closes the open pass. Later calls record nothing.
  void end() noexcept;

  /// The memory of stamps and sequences, for threads that follow. Its plans and passes are empty.
  [[nodiscard]] PassRecordingView memory() const noexcept {
    return {.plans = {}, .passes = {}, .stamps = memory_.stamps, .sequences = memory_.sequences};
  }
  /// A view of what was recorded, valid as long as the recorder. Call it after end().
  [[nodiscard]] PassRecordingView recording() const;

 private:
  /// Touches the memory of the first `stamps` stamps, but no more than the capacity.
  void touch(std::size_t stamps);
  /// Where the stamps of the next pass begin; null if `count` stamps do not fit.
  [[nodiscard]] StampCode* reserve(std::size_t count) noexcept;
  void push(std::int32_t pass) noexcept;
  void add_batch(PassRecord& pass, std::span<const BatchSequence> batch) noexcept;

  const Clock& clock_;
  std::array<PassRing*, 2> rings_;
  Capacity capacity_;
  std::vector<SharedPlan> plans_;
  std::unique_ptr<PassRecord[]> passes_;
  std::unique_ptr<StampCode[]> own_stamps_;
  std::unique_ptr<BatchSequence[]> own_sequences_;
  PassMemory memory_;  // only the first `touched_` stamps are backed by memory
  std::size_t touched_ = 0;
  std::size_t pass_count_ = 0;
  std::size_t stamp_count_ = 0;
  std::size_t sequence_count_ = 0;
  std::size_t lost_passes_ = 0;
  std::size_t lost_sequences_ = 0;
  // The open pass.
  std::int32_t open_ = kNone;
  StampWriter writer_;
  StampCode* first_ = nullptr;
  StampCode* next_ = nullptr;
  StampCode* limit_ = nullptr;
  std::size_t extra_ = 0;  // number of stamps that did not fit
  bool ended_ = false;
};

}  // namespace enprof
