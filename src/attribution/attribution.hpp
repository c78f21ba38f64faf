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

/// Ways in which the energy of a span may be divided among groups: rows of parts.
class SpanDivisions {
 public:
  struct Part {
    std::uint32_t group = 0;
    double weight = 0.0;  ///< share of the span's energy, 0–1
  };

  /// Adds a part to the row that is being made. A weight of 0 is left out.
  void add(std::uint32_t group, double weight) {
    if (weight > 0.0) {
      parts_.push_back({group, weight});
    }
  }
  /// Ends the row; returns its number.
  std::uint32_t end_row() {
    first_.push_back(static_cast<std::uint32_t>(parts_.size()));
    return static_cast<std::uint32_t>(first_.size()) - 2;
  }
  [[nodiscard]] std::span<const Part> row(std::uint32_t row) const {
    return std::span(parts_).subspan(first_[row], first_[row + 1] - first_[row]);
  }
  [[nodiscard]] std::size_t rows() const { return first_.size() - 1; }

 private:
  std::vector<std::uint32_t> first_{0};  // by row, and the end of the last
  std::vector<Part> parts_;
};

/// Sets of spans whose energies are wanted as sums, each with its own error: the layers of a phase,
/// the classes of operations, the requests of a capture. A group contains the own time of its
/// spans, without that of their children. Either the sets are disjoint, or `divisions` says how the
/// energy of a span is divided among several.
struct SpanGroups {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  /// By span: its group, below `count`; with `divisions` a row of those; or kNone.
  std::span<const std::uint32_t> of_span;
  std::uint32_t count = 0;
  const SpanDivisions* divisions = nullptr;
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
  /// the sum. Of divided spans a group has the same part of their covered time and windows as of
  /// their energy.
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
/// A group that has parts wᵢ of spans takes the same terms: φ is Σ wᵢ xᵢ, with xᵢ the share that a
/// piece has of the window's energy, and φ (1−φ) becomes Σ wᵢ² xᵢ − φ² (white noise less its mean).
/// What has the same part of all pieces of a window has no error from how they differ.
///
/// Spans may come in any order in which parents come before their children (see tile). Cost:
/// O(spans + windows), and for each window the square of the number of classes in it.
[[nodiscard]] Attribution attribute(std::span<const Span> spans,
                                    std::span<const EnergyTimeline> timelines,
                                    const AttributionOptions& options = {});

}  // namespace enprof
