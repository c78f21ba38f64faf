#include "record/pass_recorder.hpp"

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

/// Memory for this many times the usual operations is touched before the run begins. Otherwise the
/// first pass of a large model would touch it during the run.
constexpr std::size_t kTouchFactor = 4;

}  // namespace

PassRecorder::PassRecorder(const Capacity& capacity, const Clock& clock, PassRing* passes,
                           PassRing* more_passes, const PassMemory* memory)
    : clock_(clock),
      rings_{passes, more_passes},
      capacity_(capacity),
      passes_(std::make_unique<PassRecord[]>(capacity.passes)) {
  if (capacity_.passes == 0) {
    capacity_.operations = 0;
  }
  if (capacity_.sequences == 0) {
    capacity_.sequences = capacity_.passes;
  }
  if (memory != nullptr) {
    memory_ = {.stamps = memory->stamps.first(capacity_.operations),
               .sequences = memory->sequences.first(capacity_.sequences)};
  } else {
    own_stamps_ = std::make_unique_for_overwrite<StampCode[]>(capacity_.operations);
    own_sequences_ = std::make_unique<BatchSequence[]>(capacity_.sequences);
    memory_ = {.stamps = {own_stamps_.get(), capacity_.operations},
               .sequences = {own_sequences_.get(), capacity_.sequences}};
  }
  touch(capacity_.passes * kUsualOperations * kTouchFactor);
}

void PassRecorder::touch(std::size_t stamps) {
  stamps = std::min(stamps, capacity_.operations);
  if (stamps > touched_) {
    // The first write to a page takes microseconds; here it is off the hot path.
    std::fill(memory_.stamps.data() + touched_, memory_.stamps.data() + stamps, StampCode{0});
    touched_ = stamps;
  }
}

std::uint32_t PassRecorder::add_plan(SharedPlan plan) {
  touch(capacity_.passes * plan->operations.size());
  plans_.push_back(std::move(plan));
  return static_cast<std::uint32_t>(plans_.size() - 1);
}

StampCode* PassRecorder::reserve(std::size_t count) noexcept {
  return touched_ - stamp_count_ < count ? nullptr : memory_.stamps.data() + stamp_count_;
}

void PassRecorder::add_batch(PassRecord& pass, std::span<const BatchSequence> batch) noexcept {
  if (capacity_.sequences - sequence_count_ < batch.size()) {
    lost_sequences_ += batch.size();
    return;
  }
  std::ranges::copy(batch, memory_.sequences.data() + sequence_count_);
  pass.first_sequence = static_cast<std::uint32_t>(sequence_count_);
  pass.sequence_count = static_cast<std::uint32_t>(batch.size());
  sequence_count_ += batch.size();
}

std::int32_t PassRecorder::open(std::uint32_t plan, PassPlace place,
                                std::span<const BatchSequence> batch) noexcept {
  close(open_);
  if (ended_ || capacity_.passes == 0) {
    return kNone;
  }
  if (pass_count_ == capacity_.passes) {
    ++lost_passes_;
    return kNone;
  }
  PassRecord& pass = passes_[pass_count_];
  pass = {.place = place, .plan = plan};
  open_ = static_cast<std::int32_t>(pass_count_++);
  first_ = next_ = limit_ = nullptr;
  extra_ = 0;
  if (plan >= plans_.size()) {
    pass.state = PassState::mismatched;
  } else {
    const std::size_t count = plans_[plan]->operations.size();
    pass.first_stamp = static_cast<std::uint32_t>(stamp_count_);
    first_ = next_ = reserve(count);
    if (first_ == nullptr) {
      pass.state = PassState::dropped;
    } else {
      limit_ = first_ + count;
    }
  }
  add_batch(pass, batch);
  pass.begin = pass.start = clock_.now();
  writer_.begin(pass.start);
  return open_;
}

void PassRecorder::discard(std::int32_t pass) noexcept {
  if (pass == open_ && pass != kNone) {
    passes_[static_cast<std::size_t>(pass)].state = PassState::discarded;
  }
}

void PassRecorder::close(std::int32_t pass) noexcept {
  if (pass == kNone || pass != open_) {
    return;
  }
  PassRecord& closed = passes_[static_cast<std::size_t>(pass)];
  closed.end = clock_.now();
  if (closed.state == PassState::complete) {
    if (next_ != limit_ || extra_ > 0) {
      closed.state = PassState::mismatched;
    } else {
      closed.stamp_count = static_cast<std::uint32_t>(next_ - first_);
      stamp_count_ += closed.stamp_count;
    }
  }
  push(pass);
  open_ = kNone;
  first_ = next_ = limit_ = nullptr;
}

void PassRecorder::push(std::int32_t pass) noexcept {
  for (PassRing* ring : rings_) {
    if (ring != nullptr) {
      ring->push({.pass = passes_[static_cast<std::size_t>(pass)], .index = pass});
    }
  }
}

void PassRecorder::adopt(const PassRecord& pass, std::span<const StampCode> stamps,
                         std::span<const BatchSequence> batch) noexcept {
  const std::int32_t index = open(pass.plan, pass.place, batch);
  if (index == kNone) {
    return;
  }
  PassRecord& ours = passes_[static_cast<std::size_t>(index)];
  if (ours.state == PassState::complete) {
    ours.state = pass.state;
  }
  if (ours.state == PassState::complete) {
    if (stamps.size() == static_cast<std::size_t>(limit_ - first_)) {
      std::ranges::copy(stamps, first_);
      ours.stamp_count = static_cast<std::uint32_t>(stamps.size());
      stamp_count_ += stamps.size();
    } else {
      ours.state = PassState::mismatched;
    }
  }
  ours.begin = pass.begin;
  ours.start = std::max(pass.start, pass.begin);
  ours.end = std::max(pass.end, pass.begin);
  push(index);
  open_ = kNone;
  first_ = next_ = limit_ = nullptr;
}

void PassRecorder::add(std::uint32_t plan, PassPlace place, Instant begin, Instant start,
                       std::span<const Instant> ends,
                       std::span<const BatchSequence> batch) noexcept {
  const std::int32_t index = open(plan, place, batch);
  if (index == kNone) {
    return;
  }
  writer_.begin(start);
  const auto room = std::min(ends.size(), static_cast<std::size_t>(limit_ - next_));
  for (const Instant end : ends.first(room)) {
    *next_++ = writer_.next(end);
  }
  extra_ = ends.size() - room;
  if (ends.empty()) {
    discard(index);
  }
  PassRecord& pass = passes_[static_cast<std::size_t>(index)];
  pass.begin = begin;
  pass.start = start;
  close(index);
}

void PassRecorder::end() noexcept {
  close(open_);
  ended_ = true;
}

PassRecordingView PassRecorder::recording() const {
  return {.plans = plans_,
          .passes = {passes_.get(), pass_count_},
          .stamps = memory_.stamps.first(stamp_count_),
          .sequences = memory_.sequences.first(sequence_count_),
          .lost_passes = lost_passes_,
          .lost_sequences = lost_sequences_};
}

}  // namespace enprof
