// Joins what sensors said with what engines did. Pure functions.
#pragma once

#include "enprof/model/span.hpp"

#include "attribution/energy_timeline.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// Energy of each span in each timeline.
class Attribution {
 public:
  Attribution(std::size_t spans, std::size_t timelines)
      : timelines_(timelines), shares_(spans * timelines), self_(spans * timelines) {}

  [[nodiscard]] std::size_t timelines() const { return timelines_; }
  /// The span's share of a timeline, its children included.
  [[nodiscard]] const EnergyShare& share(std::size_t span, std::size_t timeline) const {
    return shares_[span * timelines_ + timeline];
  }
  /// The span's shares of all timelines, in their order.
  [[nodiscard]] std::span<const EnergyShare> shares(std::size_t span) const {
    return std::span(shares_).subspan(span * timelines_, timelines_);
  }
  /// The share of one timeline without the children's. At each span: self + children = share.
  [[nodiscard]] Joules self(std::size_t span, std::size_t timeline) const {
    return self_[span * timelines_ + timeline];
  }
  /// Spans that were cut to lie within their parent and after their elder sibling, or that had no
  /// end and were given their parent's. More than 0 means that the recorder was used wrongly.
  [[nodiscard]] std::size_t mended_spans() const { return mended_; }

 private:
  friend Attribution attribute(std::span<const Span> spans,
                               std::span<const EnergyTimeline> timelines);
  std::size_t timelines_;
  std::vector<EnergyShare> shares_;
  std::vector<Joules> self_;
  std::size_t mended_ = 0;
};

/// Shares each timeline out among the spans, by overlap in time. Spans are in the order in which
/// they were opened: parents before children, siblings by begin. A timeline is usually one root
/// domain. Cost: O(spans × timelines) and a search that is short where begins ascend.
[[nodiscard]] Attribution attribute(std::span<const Span> spans,
                                    std::span<const EnergyTimeline> timelines);

}  // namespace enprof
