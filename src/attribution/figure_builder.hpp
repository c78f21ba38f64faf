// From shares of energy to a figure with its quality.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/figure.hpp"

#include "attribution/energy_timeline.hpp"

#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// A root domain and its idle power, where that was measured.
struct RootDomain {
  const Domain* domain = nullptr;
  std::optional<Watts> idle_power;
  std::optional<Watts> idle_error;  ///< standard error of idle_power, see idle_error()
};

/// Standard error of a mean idle power, of `windows` windows whose powers have the standard
/// deviation `spread`: spread / √windows, as if windows were independent. Empty where there are
/// fewer than two.
[[nodiscard]] std::optional<Watts> idle_error(std::optional<Watts> spread, std::size_t windows);

/// Adds up one or more spans over the root domains.
///
/// - total: the sum over the roots that have any coverage; empty where none has.
/// - coverage: mean over the roots of covered time / duration, so that a root which is missing
/// shows.
/// - baseline: idle power × covered time, summed over the same roots; empty where the idle power of
///   one of them is not known.
/// - mean_power: sum over the roots of energy / covered time.
/// - resolution: windows of the root that has the fewest, per span.
/// - method: measured from kMeasuredWindows windows a span on (the two that the span's edges cut
/// are
///   then at most 1 % of it), attributed below; estimated where a root is estimated.
/// - standard_error: of the total; empty where a root is estimated, whose error nobody knows.
/// - dynamic_standard_error: root of the sum of the total's square and the baseline's, which is the
///   sum over the roots of (idle error × covered time)²; empty where one of these is not known.
class FigureBuilder {
 public:
  static constexpr double kMeasuredWindows = 200.0;

  /// `roots` must outlive the builder.
  explicit FigureBuilder(std::span<const RootDomain> roots)
      : roots_(roots), shares_(roots.size()) {}

  /// Adds a span: its duration, and its share of each root, in their order. Or several spans whose
  /// durations and shares are added up already, as those of a group are.
  void add(Nanoseconds duration, std::span<const EnergyShare> shares, std::size_t spans = 1);
  [[nodiscard]] std::size_t spans() const { return spans_; }
  [[nodiscard]] Figure build() const;

 private:
  std::span<const RootDomain> roots_;
  std::vector<EnergyShare> shares_;
  Nanoseconds duration_{0};
  std::size_t spans_ = 0;
};

}  // namespace enprof
