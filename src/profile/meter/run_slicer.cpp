#include "profile/meter/run_slicer.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace enprof {

void RunSlicer::add_plan(std::uint32_t index, SharedPlan plan) {
  plans_.resize(std::max<std::size_t>(plans_.size(), index + std::size_t{1}));
  plans_[index] = std::move(plan);
}

RecordingView RunSlicer::slice() const {
  PassRecordingView passes = memory_;
  passes.plans = plans_;
  passes.passes = slice_passes_;
  return {.spans = slice_spans_,
          .names = std::vector<std::string_view>(RunRecorder::kMaxNames),
          .token_texts = std::vector<std::string_view>(tokens_),
          .passes = passes};
}

bool RunSlicer::cut(Instant until) {
  Instant end = begin_;
  for (const auto& [index, record] : spans_) {
    if (record.span.level == Level::token && !record.open && record.span.end <= until) {
      end = std::max(end, record.span.end);
    }
  }
  if (end <= begin_) {
    return false;
  }
  SpanPlaces moved;  // from the run's indices to the slice's
  add_spans(end, moved);
  add_passes(end, moved);
  remove_ended(end);
  begin_ = end;
  return true;
}

void RunSlicer::add_spans(Instant end, SpanPlaces& moved) {
  slice_spans_.assign(1, {.begin = begin_, .end = end, .level = Level::run});
  moved.add(0);
  std::int32_t first = Span::kNone;
  std::int32_t tokens = 0;
  for (const auto& [index, record] : spans_) {
    Span span = record.span;
    const bool in_slice = span.begin < end && (record.open || span.end > begin_);
    const auto parent = moved.find(span.parent);
    if (index == 0 || !in_slice || !parent) {
      continue;
    }
    span.begin = std::max(span.begin, begin_);
    span.end = record.open ? end : std::min(span.end, end);
    span.parent = *parent;
    if (span.token != Span::kNone) {
      if (first == Span::kNone) {
        first = span.token;
      }
      span.token -= first;
      tokens = std::max(tokens, span.token + 1);
    }
    moved.add(index);
    slice_spans_.push_back(span);
  }
  first_token_ = static_cast<std::size_t>(std::max(first, 0));
  tokens_ = static_cast<std::size_t>(tokens);
}

void RunSlicer::add_passes(Instant end, const SpanPlaces& moved) {
  slice_passes_.clear();
  for (const PassEntry& entry : waiting_) {
    const auto parent = moved.find(entry.pass.place.parent);
    if (entry.pass.end > end || !parent || entry.pass.begin < begin_) {
      continue;
    }
    PassRecord pass = entry.pass;
    pass.place.parent = *parent;
    // Counts only spans that are in the slice.
    pass.place.spans_before = static_cast<std::uint32_t>(
        moved.count_before(static_cast<std::int32_t>(pass.place.spans_before)));
    slice_passes_.push_back(pass);
  }
}

void RunSlicer::remove_ended(Instant end) {
  std::erase_if(spans_, [&](const auto& entry) {
    return !entry.second.open && entry.second.span.end <= end;
  });
  std::erase_if(waiting_, [&](const PassEntry& entry) { return entry.pass.end <= end; });
}

}  // namespace enprof
