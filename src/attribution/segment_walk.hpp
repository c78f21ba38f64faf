// Iterates over the windows of a timeline and the tiles in each.
#pragma once

#include "attribution/energy_timeline.hpp"
#include "attribution/span_tiling.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace enprof {

/// Seconds by multiplication: a division for each piece of each window would be measurable.
[[nodiscard]] inline double quick_seconds(Nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-9;
}

/// A segment of a timeline with the tiles in it: consecutive `tiles` from `first` on; `times_s` has
/// the time of each within the segment.
struct SegmentMix {
  std::size_t index = 0;
  EnergyTimeline::Segment segment;
  std::size_t first = 0;
  std::span<const double> times_s;
  double outside_s = 0.0;  ///< time of the segment outside of all spans
  bool last_ends = false;  ///< the last tile ends with the segment or before it

  [[nodiscard]] double length_s() const { return quick_seconds(segment.length()); }
};

/// Calls `visit` with each covered segment that contains a tile, in order of time.
template <class Visit>
void walk_segments(const EnergyTimeline& timeline, const SpanTiling& tiling, Visit visit) {
  const std::vector<SpanTiling::Tile>& tiles = tiling.tiles;
  if (timeline.segment_count() == 0 || tiles.size() < 2) {
    return;
  }
  std::vector<double> times_s;
  std::size_t tile = 0;
  for (std::size_t index = timeline.segment_at(tiles.front().begin);
       index < timeline.segment_count() && tile + 1 < tiles.size(); ++index) {
    const EnergyTimeline::Segment segment = timeline.segment(index);
    while (tile + 1 < tiles.size() && tiles[tile + 1].begin <= segment.begin) {
      ++tile;
    }
    if (!segment.covered || tile + 1 >= tiles.size() || tiles[tile].begin >= segment.end) {
      continue;
    }
    times_s.clear();
    Instant now = std::max(segment.begin, tiles[tile].begin);
    Nanoseconds outside = now - segment.begin;
    std::size_t last = tile;
    for (;; ++last) {
      const Instant end = std::min(segment.end, tiles[last + 1].begin);
      times_s.push_back(quick_seconds(end - now));
      if (tiles[last].span == SpanTiling::kNoSpan) {
        outside += end - now;
      }
      now = end;
      if (now == segment.end || last + 2 >= tiles.size()) {
        break;
      }
    }
    visit(SegmentMix{.index = index,
                     .segment = segment,
                     .first = tile,
                     .times_s = times_s,
                     .outside_s = quick_seconds(outside + (segment.end - now)),
                     .last_ends = tiles[last + 1].begin <= segment.end});
    tile = last;
  }
}

}  // namespace enprof
