// The mean of repeated values and how sure it is.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace enprof {

inline constexpr double kUsualConfidence = 0.95;

/// What a standard uncertainty is multiplied by for an interval of this confidence (0–1), by
/// Student's t with so many degrees of freedom (JCGM 100:2008, G.3). The normal distribution's if
/// `freedom` is infinite.
[[nodiscard]] double coverage_factor(double confidence, double freedom);

/// The first two moments of some values.
struct SampleMoments {
  std::size_t count = 0;
  double mean = 0.0;
  /// Between single values (divided by n − 1); empty below two values, which have no spread.
  std::optional<double> deviation{};

  /// Of the mean; empty below two values.
  [[nodiscard]] std::optional<double> standard_error() const;
};
/// Of at least one value.
[[nodiscard]] SampleMoments sample_moments(std::span<const double> values);

/// A mean; the interval is mean ± half.
struct MeanInterval {
  double mean = 0.0;
  std::optional<double> half{};  ///< empty for one value, which says nothing about the spread
  std::size_t count = 0;
};
/// Of at least one value.
[[nodiscard]] MeanInterval mean_interval(std::span<const double> values, double confidence);

}  // namespace enprof
