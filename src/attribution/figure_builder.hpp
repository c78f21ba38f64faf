// Computes a figure with its quality from shares of energy.
#pragma once

#include "enprof/model/domain.hpp"
#include "enprof/model/figure.hpp"

#include "attribution/energy_timeline.hpp"

#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// A root domain and its idle power, if that was measured.
struct RootDomain {
  const Domain* domain = nullptr;
  std::optional<Watts> idle_power;
  std::optional<Watts> idle_error;  ///< standard error of idle_power, see idle_error()
};

/// The standard error of a mean idle power over `windows` windows whose powers have the standard
/// deviation `spread`: spread / √windows, as if windows were independent. Empty for fewer than two
/// windows.
[[nodiscard]] std::optional<Watts> idle_error(std::optional<Watts> spread, std::size_t windows);

/// Adds up one or more spans over the root domains.
///
/// - total: the sum over the roots that have any coverage; empty if no root has.
/// - coverage: mean over the roots of covered time / duration, so that a missing root lowers it.
/// - baseline: idle power × covered time, summed over the same roots; empty if the idle power of
///   one of them is not known.
/// - mean_power: sum over the roots of energy / covered time.
/// - resolution: windows per span, of the root with the fewest windows.
/// - method: measured for at least kMeasuredWindows windows per span (the two that the span's edges
///   cut are then at most 1 % of it), attributed for fewer; estimated if a root is estimated.
/// - standard_error: of the total; empty if a root is estimated, because its error is unknown.
/// - dynamic_standard_error: the root of the sum of two squares: the total's error, and the
///   baseline's, whose square is the sum over the roots of (idle error × covered time)²; empty if
///   one of these is not known.
/// - standard_uncertainty: the root of the sum of two squares: standard_error, and the sensors'
///   scales. Domains of one source err together, so what their scales leave open is added up;
///   sources err independently, so theirs is added in squares. Empty if a root's relative
///   uncertainty is not known. dynamic_standard_uncertainty: the same with dynamic energies.
class FigureBuilder {
 public:
  static constexpr double kMeasuredWindows = 200.0;

  /// `roots` must outlive the builder.
  explicit FigureBuilder(std::span<const RootDomain> roots)
      : roots_(roots), shares_(roots.size()) {}

  /// Adds a span: its duration, and its share of each root, in their order. Or adds several spans
  /// at once, with the sums of their durations and shares, as those of a group.
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
