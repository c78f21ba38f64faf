#include "record/pass_recorder.hpp"

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

/// Room is made for passes of so many times the usual operations before the run begins: of a large
/// model it would otherwise be made, and first touched, in the middle of it.
constexpr std::size_t kRoomFactor = 4;

}  // namespace

PassRecorder::PassRecorder(const Capacity& capacity, const Clock& clock, PassRing* passes,
                           PassRing* more_passes)
    : clock_(clock),
      followed_{passes, more_passes},
      capacity_(capacity),
      passes_(std::make_unique<PassRecord[]>(capacity.passes)) {
  grow(capacity_.passes * kUsualOperations * kRoomFactor);
}

void PassRecorder::grow(std::size_t stamps) {
  stamps = std::min(stamps, capacity_.operations);
  if (stamps <= stamp_capacity_) {
    return;
  }
  const std::size_t size = stamps - stamp_capacity_;
  // Value-initialized on purpose: touching the pages now keeps page faults off the hot path.
  chunks_.push_back(
      {.stamps = std::make_unique<Instant[]>(size), .size = size, .offset = stamp_capacity_});
  stamp_capacity_ = stamps;
}

std::uint32_t PassRecorder::add_plan(SharedPlan plan) {
  grow(capacity_.passes * plan->operations.size());
  plans_.push_back(std::move(plan));
  return static_cast<std::uint32_t>(plans_.size() - 1);
}

Instant* PassRecorder::reserve(std::size_t count, std::uint32_t& index) noexcept {
  while (chunk_ < chunks_.size() && chunks_[chunk_].size - chunks_[chunk_].used < count) {
    if (chunk_ + 1 == chunks_.size()) {
      return nullptr;
    }
    ++chunk_;
  }
  if (chunk_ == chunks_.size()) {
    return nullptr;
  }
  Chunk& chunk = chunks_[chunk_];
  index = static_cast<std::uint32_t>(chunk.offset + chunk.used);
  return chunk.stamps.get() + chunk.used;
}

std::int32_t PassRecorder::open(std::uint32_t plan, PassPlace place) noexcept {
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
    first_ = next_ = reserve(count, pass.first_stamp);
    if (first_ == nullptr) {
      pass.state = PassState::dropped;
    } else {
      limit_ = first_ + count;
    }
  }
  pass.begin = pass.start = clock_.now();
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
      chunks_[chunk_].used += static_cast<std::size_t>(next_ - first_);
    }
  }
  const bool complete = closed.state == PassState::complete;
  for (PassRing* ring : followed_) {
    if (ring != nullptr) {
      ring->push({.pass = closed,
                  .index = pass,
                  .stamps = first_,
                  .count = complete ? static_cast<std::uint32_t>(next_ - first_) : 0U});
    }
  }
  open_ = kNone;
  first_ = next_ = limit_ = nullptr;
}

void PassRecorder::add(std::uint32_t plan, PassPlace place, Instant begin, Instant start,
                       std::span<const Instant> ends) noexcept {
  const std::int32_t index = open(plan, place);
  if (index == kNone) {
    return;
  }
  const auto room = static_cast<std::size_t>(limit_ - next_);
  next_ = std::copy_n(ends.begin(), std::min(room, ends.size()), next_);
  extra_ = ends.size() - std::min(room, ends.size());
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

PassRecording PassRecorder::recording() const {
  PassRecording result;
  for (const SharedPlan& plan : plans_) {
    result.plans.push_back(*plan);
  }
  result.passes.assign(passes_.get(), passes_.get() + pass_count_);
  result.lost_passes = lost_passes_;
  std::size_t total = 0;
  for (const Chunk& chunk : chunks_) {
    total += chunk.used;
  }
  result.stamps.reserve(total);
  std::size_t at = 0;  // the chunk of the present pass: both ascend
  for (PassRecord& pass : result.passes) {
    if (pass.state != PassState::complete) {
      continue;
    }
    while (pass.first_stamp >= chunks_[at].offset + chunks_[at].size) {
      ++at;
    }
    const Instant* first = chunks_[at].stamps.get() + (pass.first_stamp - chunks_[at].offset);
    pass.first_stamp = static_cast<std::uint32_t>(result.stamps.size());
    result.stamps.insert(result.stamps.end(), first, first + plans_[pass.plan]->operations.size());
  }
  return result;
}

}  // namespace enprof
