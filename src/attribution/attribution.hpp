// Divides sensors' energy among engines' spans. Pure functions.
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

/// Disjoint sets of spans whose energies are wanted as sums, each with its own error: the layers of
/// a phase, the classes of operations. A group contains the own time of its spans, without that of
/// their children.
struct SpanGroups {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::span<const std::uint32_t> of_span;  ///< by span, below `count`, or kNone
  std::uint32_t count = 0;
};

struct AttributionOptions {
  /// By span: the kind of work of its own time. Spans of one class are assumed to draw similar
  /// power. kNoClass, or no entry: one class for each phase, level and name. See assign_work.
  std::span<const std::uint32_t> classes;
  std::span<const SpanGroups> groupings;
  /// By timeline: the domain's idle power. Before and after the spans, power is what windows there
  /// say; without such windows it is unknown, between idle and the spans' own power. Empty, or no
  /// entry: the spans' own power is assumed, with an error that reaches to zero.
  std::span<const std::optional<Watts>> idle_power;
  /// By timeline, then by class as `classes` numbers them: what a calibration says about its power.
  /// Empty, or no entry: nothing is known.
  std::span<const std::vector<std::optional<PriorPower>>> priors{};
  /// Divides a window by time alone, as if all work drew the same power; for comparison.
  bool by_time_alone = false;
};

/// The energy of each span in each timeline.
class Attribution {
 public:
  Attribution(std::size_t spans, std::size_t timelines)
      : timelines_(timelines), shares_(spans * timelines), self_(spans * timelines) {}

  [[nodiscard]] std::size_t timelines() const { return timelines_; }
  /// The span's share of a timeline, including its children.
  [[nodiscard]] const EnergyShare& share(std::size_t span, std::size_t timeline) const {
    return shares_[span * timelines_ + timeline];
  }
  /// The span's shares of all timelines, in their order.
  [[nodiscard]] std::span<const EnergyShare> shares(std::size_t span) const {
    return std::span(shares_).subspan(span * timelines_, timelines_);
  }
  /// The share of one timeline without that of the children: self + children = share.
  [[nodiscard]] Joules self(std::size_t span, std::size_t timeline) const {
    return self_[span * timelines_ + timeline];
  }
  /// The shares of a group in all timelines: those of its spans' own time. The variance is that of
  /// the sum.
  [[nodiscard]] std::span<const EnergyShare> group(std::size_t grouping, std::size_t group) const {
    return std::span(groups_[grouping]).subspan(group * timelines_, timelines_);
  }
  /// The power found for each kind of work, by timeline. Empty if all were assumed to be equal.
  [[nodiscard]] const ClassPowers& class_powers(std::size_t timeline) const {
    return powers_[timeline];
  }
  /// The number of spans that were cut to lie within their parent and after their elder sibling, or
  /// that had no end and got their parent's. If it is above 0, the recorder was used wrongly.
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

/// Divides each timeline's energy among the spans. A timeline is usually one root domain.
///
/// A window within one span belongs to that span. In a window that several spans share, each piece
/// of time gets energy in proportion to its length × the power of its class (ClassPowerFit). So
/// exactly the measured energy is divided, whatever powers the classes are assumed to have. Shares
/// are negative only if windows are.
///
/// The variance of a share is the sum of:
/// - For an edge that cuts a window of energy E into φ and 1−φ: v φ (1−φ), a Brownian bridge, with
///   v the variance of such a window's energy that neither classes nor time stamps explain.
/// - For each edge between two windows: (P s Δφ)², with s the standard deviation of the edge's time
///   stamp, and Δφ the difference between the span's parts of both windows.
/// - For an edge window that reaches beyond the spans: the error of the power outside.
/// - For the error of the classes' powers: gᵀ V g, with V their covariance and g the gradient of
///   the share. The windows that cut a span are treated as independent; those of a group are
///   treated together.
///
/// Spans may come in any order in which parents come before their children (see tile). Cost:
/// O(spans + windows), and for each window the square of the number of classes in it.
[[nodiscard]] Attribution attribute(std::span<const Span> spans,
                                    std::span<const EnergyTimeline> timelines,
                                    const AttributionOptions& options = {});

}  // namespace enprof
