#include "attribution/span_tiling.hpp"

#include "attribution/energy_timeline.hpp"

#include <algorithm>

namespace enprof {
namespace {

constexpr std::uint32_t kNoSpan = SpanTiling::kNoSpan;

/// Far enough from the ends of the clock that differences do not overflow.
Instant bounded(Instant at) {
  return std::clamp(at, Instant{-EnergyTimeline::kFarthest}, Instant{EnergyTimeline::kFarthest});
}

/// Whether the list is in the order of a walk through the tree, siblings by begin.
bool is_walk(std::span<const Span> spans) {
  struct Open {
    std::uint32_t span;
    Instant last_child;
  };
  std::vector<Open> open{{kNoSpan, Instant::min()}};
  for (std::size_t index = 0; index < spans.size(); ++index) {
    const std::uint32_t parent = parent_of(spans, index);
    while (open.size() > 1 && open.back().span != parent) {
      open.pop_back();
    }
    if (open.back().span != parent || spans[index].begin < open.back().last_child) {
      return false;
    }
    open.back().last_child = spans[index].begin;
    open.push_back({static_cast<std::uint32_t>(index), Instant::min()});
  }
  return true;
}

/// The spans in the order of a walk through the tree, siblings by begin.
std::vector<std::uint32_t> walk(std::span<const Span> spans) {
  // Puts the children of a parent together: sorts by parent (roots last), begin and index.
  std::vector<std::uint32_t> sorted(spans.size());
  for (std::uint32_t index = 0; index < sorted.size(); ++index) {
    sorted[index] = index;
  }
  std::ranges::sort(sorted, [&](std::uint32_t a, std::uint32_t b) {
    const std::uint32_t parent_a = parent_of(spans, a);
    const std::uint32_t parent_b = parent_of(spans, b);
    return parent_a != parent_b               ? parent_a < parent_b
           : spans[a].begin != spans[b].begin ? spans[a].begin < spans[b].begin
                                              : a < b;
  });
  const auto children = [&](std::uint32_t parent) {
    return std::ranges::equal_range(sorted, parent, {},
                                    [&](std::uint32_t index) { return parent_of(spans, index); });
  };
  std::vector<std::uint32_t> result;
  result.reserve(spans.size());
  std::vector<std::uint32_t> waiting;
  const auto push = [&](std::uint32_t parent) {
    const auto range = children(parent);
    waiting.insert(waiting.end(), std::reverse_iterator(range.end()),
                   std::reverse_iterator(range.begin()));
  };
  push(kNoSpan);
  while (!waiting.empty()) {
    const std::uint32_t next = waiting.back();
    waiting.pop_back();
    result.push_back(next);
    push(next);
  }
  return result;
}

class Tiler {
 public:
  explicit Tiler(std::span<const Span> spans) : spans_(spans) {
    result_.ranges.resize(spans.size());
    result_.tiles.reserve(spans.size() + spans.size() / 4 + 2);
    if (!is_walk(spans)) {
      result_.order = walk(spans);
    }
  }

  SpanTiling tile() {
    for (std::size_t position = 0; position < spans_.size(); ++position) {
      open(result_.span_at(position));
    }
    while (!open_.empty()) {
      close();
    }
    result_.tiles.push_back({.begin = now_});
    return std::move(result_);
  }

 private:
  struct Open {
    std::uint32_t span;
    Instant end;
  };

  void open(std::size_t index) {
    const std::uint32_t parent = parent_of(spans_, index);
    while (!open_.empty() && open_.back().span != parent) {
      close();
    }
    Instant begin = bounded(spans_[index].begin);
    Instant end = bounded(spans_[index].end);
    if (result_.tiles.empty() && open_.empty()) {
      now_ = begin;
    }
    const Instant latest = open_.empty() ? Instant{EnergyTimeline::kFarthest} : open_.back().end;
    if (end < begin) {  // never closed
      end = open_.empty() ? begin : latest;
      ++result_.mended;
    } else if (begin < now_ || end > latest) {
      ++result_.mended;
    }
    begin = std::clamp(begin, now_, latest);
    end = std::clamp(end, begin, latest);
    fill(begin);
    result_.ranges[index].begin = static_cast<std::uint32_t>(result_.tiles.size());
    open_.push_back({static_cast<std::uint32_t>(index), end});
  }

  void close() {
    fill(open_.back().end);
    result_.ranges[open_.back().span].end = static_cast<std::uint32_t>(result_.tiles.size());
    open_.pop_back();
  }

  /// Gives the time up to `until` to the innermost open span.
  void fill(Instant until) {
    if (until > now_) {
      result_.tiles.push_back({.begin = now_, .span = open_.empty() ? kNoSpan : open_.back().span});
      now_ = until;
    }
  }

  std::span<const Span> spans_;
  SpanTiling result_;
  std::vector<Open> open_;
  Instant now_;
};

}  // namespace

SpanTiling tile(std::span<const Span> spans) { return Tiler(spans).tile(); }

}  // namespace enprof
