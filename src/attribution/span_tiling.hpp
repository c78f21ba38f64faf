// Cuts time into pieces that each belong to one span: the innermost.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/span.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// A tree of spans as a row of tiles. A span's own tiles are its time outside its children;
/// together with the children's tiles they make one uninterrupted range.
///
/// Tiles never overlap, whatever the spans are, so no energy is counted twice: a span is cut to lie
/// within its parent and after its elder sibling; a span that ends before it begins was never
/// closed, and ends with its parent. Spans without a parent (or whose parent does not come before
/// them) follow one another in the same way. If there are mended spans, the recorder was used
/// wrongly.
struct SpanTiling {
  static constexpr std::uint32_t kNoSpan = ~std::uint32_t{0};

  /// Lasts from its begin to the next tile's begin; the last tile only marks the end.
  struct Tile {
    Instant begin;
    std::uint32_t span = kNoSpan;  ///< kNoSpan: between spans without a parent
    std::uint32_t work = 0;        ///< set by the user: the kind of work
  };
  /// The tiles of a span and of its children; empty if the span takes no time.
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };

  std::vector<Tile> tiles;
  std::vector<Range> ranges;  ///< by span
  /// Spans by the begin of their range, parents before children. Empty: in the list's order.
  std::vector<std::uint32_t> order;
  std::size_t mended = 0;

  [[nodiscard]] std::size_t span_at(std::size_t position) const {
    return order.empty() ? position : order[position];
  }
};

/// Spans may be in any order in which parents come before their children; the order in which they
/// were opened costs least. Cost: O(spans), plus sorting if siblings are out of order.
[[nodiscard]] SpanTiling tile(std::span<const Span> spans);

/// Index of a span's parent if that comes before it, else kNoSpan.
[[nodiscard]] inline std::uint32_t parent_of(std::span<const Span> spans, std::size_t index) {
  const std::int32_t parent = spans[index].parent;
  return parent >= 0 && static_cast<std::size_t>(parent) < index
             ? static_cast<std::uint32_t>(parent)
             : SpanTiling::kNoSpan;
}

}  // namespace enprof
