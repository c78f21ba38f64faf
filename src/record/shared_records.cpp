#include "record/shared_records.hpp"

#include <algorithm>
#include <cstdint>

namespace enprof {
namespace {

/// Of a place in the memory: no two arrays share a cache line.
constexpr std::size_t kAlignment = 64;
/// More records wait in a ring only if the reader stands still for a long time.
constexpr std::size_t kMostWaiting = std::size_t{1} << 16U;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <class T>
std::span<T> array_at(std::span<std::byte> memory, std::size_t offset, std::size_t count) {
  return {reinterpret_cast<T*>(memory.data() + offset), count};
}

}  // namespace

bool operator==(const SharedRecords::Capacity& a, const SharedRecords::Capacity& b) {
  return a.spans.spans == b.spans.spans && a.spans.tokens == b.spans.tokens &&
         a.spans.text_bytes == b.spans.text_bytes && a.passes.passes == b.passes.passes &&
         a.passes.operations == b.passes.operations && a.passes.sequences == b.passes.sequences;
}

struct SharedRecords::Layout {
  explicit Layout(const Capacity& capacity)
      // A span is recorded when it opens and when it closes.
      : span_slots(std::min(2 * capacity.spans.spans, kMostWaiting)),
        pass_slots(std::min(capacity.passes.passes, kMostWaiting)),
        operations(capacity.passes.passes == 0 ? 0 : capacity.passes.operations),
        sequences(capacity.passes.sequences == 0 ? capacity.passes.passes
                                                 : capacity.passes.sequences),
        passes(aligned(SpanRing::bytes_for(span_slots))),
        names(passes + aligned(PassRing::bytes_for(pass_slots))),
        texts(names + aligned(TextMemory::kMostNames * sizeof(RecordedName))),
        text_bytes(texts + aligned(capacity.spans.tokens * sizeof(RecordedText))),
        stamps(text_bytes + aligned(capacity.spans.text_bytes)),
        batch(stamps + aligned(operations * sizeof(StampCode))),
        end(batch + aligned(sequences * sizeof(BatchSequence))) {}

  std::size_t span_slots;
  std::size_t pass_slots;
  std::size_t operations;
  std::size_t sequences;
  // Offsets; the ring of spans comes first.
  std::size_t passes;
  std::size_t names;
  std::size_t texts;
  std::size_t text_bytes;
  std::size_t stamps;
  std::size_t batch;
  std::size_t end;
};

std::size_t SharedRecords::bytes_for(const Capacity& capacity) { return Layout(capacity).end; }

SharedRecords::SharedRecords(std::span<std::byte> memory, const Capacity& capacity)
    : SharedRecords(memory, capacity, Layout(capacity)) {}

SharedRecords::SharedRecords(std::span<std::byte> memory, const Capacity& capacity,
                             const Layout& layout)
    : spans_(memory, layout.span_slots),
      passes_(memory.subspan(layout.passes), layout.pass_slots),
      texts_{.names = array_at<RecordedName>(memory, layout.names, TextMemory::kMostNames),
             .texts = array_at<RecordedText>(memory, layout.texts, capacity.spans.tokens),
             .bytes = array_at<char>(memory, layout.text_bytes, capacity.spans.text_bytes)},
      pass_memory_{.stamps = array_at<StampCode>(memory, layout.stamps, layout.operations),
                   .sequences = array_at<BatchSequence>(memory, layout.batch, layout.sequences)} {}

bool RecordFeed::next_pass() {
  if (PassEntry entry; !pass_ && records_.passes().pop(entry)) {
    pass_ = entry.pass;
  }
  return pass_.has_value();
}

void RecordFeed::follow(const OnToken& on_token, bool last) {
  follow_spans(on_token);
  const PassRecordingView memory{.plans = {},
                                 .passes = {},
                                 .stamps = records_.pass_memory().stamps,
                                 .sequences = records_.pass_memory().sequences};
  // A writer that goes on meanwhile does not keep us here.
  for (std::size_t left = records_.passes().capacity(); left > 0 && next_pass(); --left) {
    if (pass_->plan >= passes_.plan_count() && !last) {
      return;
    }
    if (!fits(*pass_)) {
      follow_spans(on_token);  // it may lie in a span that was opened since
    }
    if (fits(*pass_)) {
      passes_.adopt(*pass_, memory.stamps_of(*pass_), memory.sequences_of(*pass_));
    } else {
      ++lost_;
    }
    pass_.reset();
  }
}

void RecordFeed::follow_spans(const OnToken& on_token) {
  SpanRecord record;
  for (std::size_t left = records_.spans().capacity(); left > 0 && records_.spans().pop(record);
       --left) {
    adopt(record, on_token);
  }
}

void RecordFeed::adopt(const SpanRecord& record, const OnToken& on_token) {
  const Span& span = record.span;
  const bool ends_token = span.level == Level::token && !record.open && span.token != Span::kNone;
  const std::string_view name =
      span.level == Level::section ? records_.texts().name(span.name) : std::string_view{};
  const std::string_view text =
      ends_token ? records_.texts().text(static_cast<std::size_t>(span.token)) : std::string_view{};
  if (!spans_.adopt(record, name, text)) {
    ++lost_;
  } else if (ends_token && on_token) {
    on_token(static_cast<std::size_t>(span.token), text);
  }
}

bool RecordFeed::fits(const PassRecord& pass) const noexcept {
  const std::uint32_t spans = spans_.place().spans_before;
  return pass.place.parent >= 0 && static_cast<std::uint32_t>(pass.place.parent) < spans &&
         pass.place.spans_before <= spans && pass.state <= PassState::dropped &&
         pass.begin >= spans_.begin_time();
}

}  // namespace enprof
