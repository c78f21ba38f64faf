#include "record/run_recorder.hpp"

#include <algorithm>
#include <cstring>

namespace enprof {
namespace {

constexpr std::string_view kOtherName = "(other)";  // for names beyond kMaxNames

}  // namespace

RunRecorder::RunRecorder(const Capacity& capacity, EventRing* events, const Clock& clock,
                         SpanRing* spans, SpanRing* more_spans, const TextMemory* memory)
    : clock_(clock),
      events_(events),
      rings_{spans, more_spans},
      capacity_{.spans = std::max<std::size_t>(capacity.spans, 1),
                .tokens = capacity.tokens,
                .text_bytes = capacity.text_bytes},
      // Value-initialized on purpose: writing to the pages now keeps page faults off the hot path.
      spans_(std::make_unique<Span[]>(capacity_.spans)),
      own_texts_(memory == nullptr ? std::make_unique<OwnTexts>(capacity_) : nullptr),
      texts_(memory != nullptr ? *memory
                               : TextMemory{.names = own_texts_->names,
                                            .texts = own_texts_->texts,
                                            .bytes = own_texts_->bytes}) {
  static_cast<void>(intern("run"));  // name 0, of all spans that are not sections
}

void RunRecorder::begin() noexcept {
  spans_[0] = Span{.begin = clock_.now(), .level = Level::run};
  span_count_ = 1;
  push_span(0, true);
}

void RunRecorder::end() noexcept {
  if (ended_ || span_count_ == 0) {
    return;
  }
  const Instant now = clock_.now();
  if (open_count_ > 0) {
    close_at(open_[0], now);
  }
  if (phase_span_ != Span::kNone) {
    spans_[static_cast<std::size_t>(phase_span_)].end = now;
    push_span(phase_span_, false);
  }
  spans_[0].end = now;
  push_span(0, false);
  ended_ = true;
}

void RunRecorder::enter(Phase phase) noexcept {
  if (!ended_ && span_count_ > 0) {
    enter_at(phase, clock_.now());
  }
}

void RunRecorder::enter_at(Phase phase, Instant at) noexcept {
  const bool first = phase_span_ == Span::kNone;
  if (!first && phase <= spans_[static_cast<std::size_t>(phase_span_)].phase) {
    return;
  }
  const std::int32_t opened = append({.begin = first ? spans_[0].begin : at,  // leaves no gap
                                      .parent = 0,
                                      .level = Level::phase,
                                      .phase = phase});
  if (opened == Span::kNone) {
    return;  // no room: the current phase goes on
  }
  if (open_count_ > 0) {  // the current phase must contain its spans
    cut_spans_ += open_count_;
    close_at(open_[0], at);
  }
  if (!first) {
    spans_[static_cast<std::size_t>(phase_span_)].end = at;
    push_span(phase_span_, false);
  }
  phase_span_ = opened;
}

std::int32_t RunRecorder::open_section(Phase phase, std::string_view name) noexcept {
  if (ended_ || span_count_ == 0) {
    return Span::kNone;
  }
  const Instant now = clock_.now();
  enter_at(phase, now);
  const std::int32_t parent = innermost();
  const Span& outer = spans_[static_cast<std::size_t>(parent)];
  const Span span{.begin = now,
                  .parent = parent,
                  .token = outer.token,
                  .name = intern(name),
                  .level = Level::section,
                  .phase = outer.phase};
  const std::int32_t opened = append_open(span);
  if (opened != Span::kNone) {
    push_event(EventType::section_start, span, now);
  }
  return opened;
}

std::int32_t RunRecorder::open_token(Phase phase) noexcept {
  if (ended_ || span_count_ == 0) {
    return Span::kNone;
  }
  const Instant now = clock_.now();
  enter_at(phase, now);
  const std::int32_t parent = innermost();
  const Span& outer = spans_[static_cast<std::size_t>(parent)];
  if (token_count_ >= capacity_.tokens) {
    ++dropped_spans_;
    return Span::kNone;
  }
  const std::int32_t opened = append_open({.begin = now,
                                           .parent = parent,
                                           .token = static_cast<std::int32_t>(token_count_),
                                           .level = Level::token,
                                           .phase = outer.phase});
  if (opened != Span::kNone) {
    texts_.texts[token_count_] = {.offset = text_count_};
    ++token_count_;
  }
  return opened;
}

void RunRecorder::close(std::int32_t span) noexcept {
  if (span != Span::kNone && !ended_) {
    close_at(span, clock_.now());
  }
}

void RunRecorder::close_at(std::int32_t span, Instant at) noexcept {
  const auto begin = open_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(open_count_);
  const auto position = std::find(begin, end, span);
  if (position == end) {
    return;
  }
  for (auto inner = end; inner != position;) {  // the innermost first: its event comes first
    --inner;
    Span& closed = spans_[static_cast<std::size_t>(*inner)];
    closed.end = at;
    push_span(*inner, false);
    if (closed.level == Level::section) {
      push_event(EventType::section_end, closed, at);
    } else if (closed.token != Span::kNone) {
      push_event(EventType::token_complete, closed, at);
    }
  }
  open_count_ = static_cast<std::size_t>(position - begin);
}

void RunRecorder::set_text(std::int32_t span, std::string_view text) noexcept {
  if (span == Span::kNone || ended_) {
    return;
  }
  const std::int32_t token = spans_[static_cast<std::size_t>(span)].token;
  if (token == Span::kNone) {
    return;
  }
  if (!is_open(span)) {  // it was pushed to the rings: another thread may be reading its text
    dropped_text_bytes_ += text.size();
    return;
  }
  RecordedText& entry = texts_.texts[static_cast<std::size_t>(token)];
  const bool lies_last = entry.offset + entry.length == text_count_;
  if (!lies_last && text.size() > entry.length) {
    entry.offset = text_count_;  // the texts of other tokens follow its old place
  }
  const bool grows = lies_last || entry.offset == text_count_;
  const std::size_t room = capacity_.text_bytes - entry.offset;
  entry.length = std::min(text.size(), room);
  dropped_text_bytes_ += text.size() - entry.length;
  if (entry.length > 0) {
    std::memcpy(texts_.bytes.data() + entry.offset, text.data(), entry.length);
  }
  if (grows) {
    text_count_ = entry.offset + entry.length;
  }
}

void RunRecorder::discard_token(std::int32_t span) noexcept {
  if (span == Span::kNone || ended_) {
    return;
  }
  Span& discarded = spans_[static_cast<std::size_t>(span)];
  // Only the last token can be discarded: later tokens have already been numbered after the others.
  if (discarded.token == Span::kNone ||
      static_cast<std::size_t>(discarded.token) + 1 != token_count_) {
    return;
  }
  --token_count_;
  if (const RecordedText& text = texts_.texts[token_count_];
      text.length > 0 && text.offset + text.length == text_count_) {
    text_count_ = text.offset;
  }
  const std::int32_t token = discarded.token;
  for (auto index = static_cast<std::size_t>(span); index < span_count_; ++index) {
    if (spans_[index].token == token) {
      spans_[index].token = Span::kNone;
      push_span(static_cast<std::int32_t>(index), is_open(static_cast<std::int32_t>(index)));
    }
  }
}

bool RunRecorder::adopt(const SpanRecord& record, std::string_view name,
                        std::string_view text) noexcept {
  if (ended_ || span_count_ == 0 || record.index < 0) {
    return false;
  }
  if (record.index == 0) {
    return true;  // the run is ours
  }
  return static_cast<std::size_t>(record.index) == span_count_ ? adopt_opening(record, name)
                                                               : adopt_change(record, text);
}

bool RunRecorder::adopt_opening(const SpanRecord& record, std::string_view name) noexcept {
  const Span& theirs = record.span;
  if (theirs.parent < 0 || theirs.parent >= record.index || theirs.phase > Phase::post_inference ||
      theirs.begin < spans_[static_cast<std::size_t>(theirs.parent)].begin) {
    return false;
  }
  if (theirs.level == Level::phase) {
    const bool is_first = phase_span_ == Span::kNone;
    if (theirs.parent != 0 ||
        (!is_first && theirs.phase <= spans_[static_cast<std::size_t>(phase_span_)].phase)) {
      return false;
    }
    const std::int32_t opened = append({.begin = is_first ? spans_[0].begin : theirs.begin,
                                        .parent = 0,
                                        .level = Level::phase,
                                        .phase = theirs.phase});
    if (opened == Span::kNone) {
      return false;
    }
    cut_spans_ += open_count_;  // the records that close them follow
    phase_span_ = opened;
    return true;
  }
  const bool is_token = theirs.level == Level::token;
  if ((!is_token && theirs.level != Level::section) || theirs.parent != innermost() ||
      (is_token && (static_cast<std::size_t>(theirs.token) != token_count_ ||
                    token_count_ >= capacity_.tokens))) {
    return false;
  }
  const Span& outer = spans_[static_cast<std::size_t>(theirs.parent)];
  const Span span{.begin = theirs.begin,
                  .parent = theirs.parent,
                  .token = is_token ? theirs.token : outer.token,
                  .name = is_token ? std::uint16_t{0} : intern(name),
                  .level = theirs.level,
                  .phase = outer.phase};
  if (append_open(span) == Span::kNone) {
    return false;
  }
  if (is_token) {
    texts_.texts[token_count_++] = {.offset = text_count_};
  } else {
    push_event(EventType::section_start, span, span.begin);
  }
  return true;
}

bool RunRecorder::adopt_change(const SpanRecord& record, std::string_view text) noexcept {
  if (static_cast<std::size_t>(record.index) > span_count_) {
    return false;
  }
  Span& ours = spans_[static_cast<std::size_t>(record.index)];
  if (record.span.level != ours.level) {
    return false;
  }
  if (record.span.token == Span::kNone && ours.token != Span::kNone) {
    discard_token(record.index);
  }
  if (record.open) {
    return true;
  }
  const Instant end = std::max(record.span.end, ours.begin);
  if (ours.level == Level::phase) {
    ours.end = end;
    push_span(record.index, false);
    return true;
  }
  if (is_open(record.index)) {
    if (ours.level == Level::token && ours.token != Span::kNone) {
      set_text(record.index, text);
    }
    close_at(record.index, end);
  }
  return true;
}

std::int32_t RunRecorder::append(const Span& span) noexcept {
  if (span_count_ >= capacity_.spans) {
    ++dropped_spans_;
    return Span::kNone;
  }
  spans_[span_count_] = span;
  const auto index = static_cast<std::int32_t>(span_count_++);
  push_span(index, true);
  return index;
}

std::int32_t RunRecorder::append_open(const Span& span) noexcept {
  if (open_count_ >= kMaxOpen) {
    ++dropped_spans_;
    return Span::kNone;
  }
  const std::int32_t opened = append(span);
  if (opened != Span::kNone) {
    open_[open_count_++] = opened;
  }
  return opened;
}

bool RunRecorder::is_open(std::int32_t span) const noexcept {
  const auto end = open_.begin() + static_cast<std::ptrdiff_t>(open_count_);
  return std::find(open_.begin(), end, span) != end;
}

std::int32_t RunRecorder::innermost() const noexcept {
  if (open_count_ > 0) {
    return open_[open_count_ - 1];
  }
  return phase_span_ != Span::kNone ? phase_span_ : 0;
}

std::uint16_t RunRecorder::intern(std::string_view name) noexcept {
  name = name.substr(0, kMaxNameLength);
  for (std::size_t index = 0; index < name_count_; ++index) {
    if (texts_.name(index) == name) {
      return static_cast<std::uint16_t>(index);
    }
  }
  if (name_count_ == kMaxNames) {
    return static_cast<std::uint16_t>(kMaxNames - 1);
  }
  if (name_count_ == kMaxNames - 1) {
    name = kOtherName;
  }
  RecordedName& entry = texts_.names[name_count_];
  std::ranges::copy(name, entry.text.begin());
  entry.length = static_cast<std::uint32_t>(name.size());
  return static_cast<std::uint16_t>(name_count_++);
}

void RunRecorder::push_event(EventType type, const Span& span, Instant at) noexcept {
  if (events_ != nullptr) {
    events_->push({.type = type,
                   .phase = span.phase,
                   .name = span.name,
                   .token = span.token,
                   .at = at,
                   .duration = at - span.begin});
  }
}

std::string_view RunRecorder::name(std::uint16_t index) const noexcept {
  return texts_.name(index);
}

std::string_view RunRecorder::token_text(std::int32_t token) const noexcept {
  return texts_.text(static_cast<std::size_t>(token));
}

RecordingView RunRecorder::recording() const {
  RecordingView result{.spans = {spans_.get(), span_count_}, .names = {}, .token_texts = {}};
  result.names.reserve(name_count_);
  for (std::size_t index = 0; index < name_count_; ++index) {
    result.names.push_back(name(static_cast<std::uint16_t>(index)));
  }
  result.token_texts.reserve(token_count_);
  for (std::size_t token = 0; token < token_count_; ++token) {
    result.token_texts.push_back(token_text(static_cast<std::int32_t>(token)));
  }
  result.dropped_spans = dropped_spans_;
  result.dropped_text_bytes = dropped_text_bytes_;
  result.cut_spans = cut_spans_;
  return result;
}

}  // namespace enprof
