#include "profile/meter/run_slicer.hpp"

#include <algorithm>
#include <utility>

namespace enprof {

void RunSlicer::add_plan(std::uint32_t index, OperationPlan plan) {
  auto& plans = slice_.passes.plans;
  plans.resize(std::max<std::size_t>(plans.size(), index + std::size_t{1}));
  plans[index] = std::move(plan);
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
  forget(end);
  begin_ = end;
  return true;
}

void RunSlicer::add_spans(Instant end, SpanPlaces& moved) {
  slice_.names.assign(RunRecorder::kMaxNames, {});
  slice_.spans.assign(1, {.begin = begin_, .end = end, .level = Level::run});
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
    moved.add(index);  // as the spans of the slice
    slice_.spans.push_back(span);
  }
  first_token_ = static_cast<std::size_t>(std::max(first, 0));
  slice_.token_texts.assign(static_cast<std::size_t>(tokens), {});
}

void RunSlicer::add_passes(Instant end, const SpanPlaces& moved) {
  PassRecording& out = slice_.passes;
  out.passes.clear();
  out.stamps.clear();
  for (const PassTicket& ticket : passes_) {
    const auto parent = moved.find(ticket.pass.place.parent);
    if (ticket.pass.end > end || !parent || ticket.pass.begin < begin_) {
      continue;
    }
    PassRecord pass = ticket.pass;
    pass.place.parent = *parent;
    // Of the spans that were opened before it, those in the slice.
    pass.place.spans_before = static_cast<std::uint32_t>(
        moved.count_before(static_cast<std::int32_t>(pass.place.spans_before)));
    pass.first_stamp = static_cast<std::uint32_t>(out.stamps.size());
    out.stamps.insert(out.stamps.end(), ticket.stamps, ticket.stamps + ticket.count);
    out.passes.push_back(pass);
  }
}

void RunSlicer::forget(Instant end) {
  std::erase_if(spans_, [&](const auto& entry) {
    return !entry.second.open && entry.second.span.end <= end;
  });
  std::erase_if(passes_, [&](const PassTicket& ticket) { return ticket.pass.end <= end; });
}

}  // namespace enprof
