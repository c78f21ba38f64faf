#include "attribution/attribution.hpp"

#include <algorithm>

namespace enprof {
namespace {

/// Where a span really lies, and up to where its children have filled it.
struct Extent {
  Instant begin;
  Instant end;
  Instant filled;
};

/// Keeps a span within its parent and clear of its elder siblings: energy that two siblings both
/// claim would be counted twice. Returns whether anything had to change.
bool mend(Extent& extent, Extent& parent) {
  const Extent before = extent;
  if (extent.end < extent.begin) {
    extent.end = parent.end;
  }
  extent.begin = std::clamp(extent.begin, parent.filled, parent.end);
  extent.end = std::clamp(extent.end, extent.begin, parent.end);
  extent.filled = extent.begin;
  parent.filled = extent.end;
  return extent.begin != before.begin || extent.end != before.end;
}

}  // namespace

Attribution attribute(std::span<const Span> spans, std::span<const EnergyTimeline> timelines) {
  Attribution result(spans.size(), timelines.size());
  std::vector<EnergyTimeline::Cursor> cursors(timelines.size());
  std::vector<Extent> extents(spans.size());

  for (std::size_t index = 0; index < spans.size(); ++index) {
    const Span& span = spans[index];
    Extent& extent = extents[index];
    extent = {span.begin, span.end, span.begin};
    const bool has_parent = span.parent >= 0 && static_cast<std::size_t>(span.parent) < index;
    if (has_parent) {
      if (mend(extent, extents[static_cast<std::size_t>(span.parent)])) {
        ++result.mended_;
      }
    } else if (extent.end < extent.begin) {
      extent.end = extent.begin;
      ++result.mended_;
    }
    for (std::size_t line = 0; line < timelines.size(); ++line) {
      const EnergyShare share = timelines[line].share(extent.begin, extent.end, cursors[line]);
      result.shares_[index * timelines.size() + line] = share;
      result.self_[index * timelines.size() + line] = share.energy;
      if (has_parent) {
        result.self_[static_cast<std::size_t>(span.parent) * timelines.size() + line] -=
            share.energy;
      }
    }
  }
  return result;
}

}  // namespace enprof
