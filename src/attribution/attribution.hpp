// Joins what sensors said with what engines did. Pure functions.
#pragma once

#include "enprof/model/span.hpp"

#include "attribution/class_powers.hpp"
#include "attribution/energy_timeline.hpp"
#include "attribution/work_classes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// Disjoint sets of spans whose energies are wanted together, with the error of the sum: the layers
/// of a phase, the classes of operations. What a span is in, its own time is in, without that of
/// its children.
struct SpanGroups {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::span<const std::uint32_t> of_span;  ///< by span, below `count`, or kNone
  std::uint32_t count = 0;
};

struct AttributionOptions {
  /// What kind of work each span's own time is: spans of one class are taken to draw similar power.
  /// kNoClass, or no entry: a kind of its own for each phase, level and name. See assign_work.
  std::span<const std::uint32_t> classes;
  std::span<const SpanGroups> groupings;
  /// By timeline: what the domain draws idle, and so before and after the spans. Empty, or no
  /// entry: as much as meanwhile.
  std::span<const std::optional<Watts>> idle_power;
  /// Shares a window out by time alone, as if all work drew the same power. To compare with.
  bool by_time_alone = false;
};

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
  /// The shares that a group has in all timelines: its spans' own time together. The variance is
  /// that of the sum.
  [[nodiscard]] std::span<const EnergyShare> group(std::size_t grouping, std::size_t group) const {
    return std::span(groups_[grouping]).subspan(group * timelines_, timelines_);
  }
  /// What each kind of work was found to draw, by timeline. Empty where all were taken alike.
  [[nodiscard]] const ClassPowers& class_powers(std::size_t timeline) const {
    return powers_[timeline];
  }
  /// Spans that were cut to lie within their parent and after their elder sibling, or that had no
  /// end and were given their parent's. More than 0 means that the recorder was used wrongly.
  [[nodiscard]] std::size_t mended_spans() const { return mended_; }

 private:
  friend class AttributionBuilder;
  std::size_t timelines_;
  std::vector<EnergyShare> shares_;
  std::vector<Joules> self_;
  std::vector<std::vector<EnergyShare>> groups_;
  std::vector<ClassPowers> powers_;
  std::size_t mended_ = 0;
};

/// Shares each timeline's energy out among the spans. A timeline is usually one root domain.
///
/// A window that lies within one span is that span's. Within a window that several share, each
/// piece of time gets energy in proportion to its length × the power of its class (ClassPowerFit),
/// so that what is shared out is what was measured, whatever the classes are thought to draw.
/// Shares never are negative unless windows are.
///
/// Variance of a share:
/// - where an edge cuts a window of energy E into φ and 1−φ: v φ (1−φ), a Brownian bridge, v being
///   the variance of such a window's energy that neither classes nor time stamps explain;
/// - for each edge between windows, (P s Δφ)²: s is the standard deviation of the edge's time
/// stamp,
///   Δφ the difference of what the span has of the windows on both sides;
/// - what is not known of the classes' powers: gᵀ V g with V their covariance and g the share's
///   gradient. Of a span that several windows cut, each is taken as if independent; of a group,
///   they are taken together.
///
/// Spans may come in any order in which parents come before their children (see tile). Cost:
/// O(spans + windows), and for each window the square of the number of classes in it.
[[nodiscard]] Attribution attribute(std::span<const Span> spans,
                                    std::span<const EnergyTimeline> timelines,
                                    const AttributionOptions& options = {});

}  // namespace enprof
