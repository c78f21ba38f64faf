// What repeated measurements of one value say together.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// The mean of repeats, and how far they differ.
struct Spread {
  std::size_t count = 0;
  double mean = 0.0;
  double least = 0.0;
  double most = 0.0;
  /// Between single values (divided by n − 1); empty below two values.
  std::optional<double> standard_deviation;
  /// The mean lies within mean ± this with a probability of 95 % (Student's t); empty below two
  /// values.
  std::optional<double> half_interval;
};

/// Values that are absent do not count. Empty if all are.
[[nodiscard]] std::optional<Spread> spread_of(std::span<const std::optional<double>> values);

/// A value far from the others.
struct Outlier {
  std::size_t index = 0;  ///< among all values
  double distance = 0.0;  ///< from the median, in the median of all such distances

  friend bool operator==(const Outlier&, const Outlier&) = default;
};

/// By the modified z-score of Iglewicz and Hoaglin ("How to Detect and Handle Outliers", 1993):
/// more than 3.5. Below five values nobody can tell. A value within 1 % of the median is none,
/// however alike the others are.
[[nodiscard]] std::vector<Outlier> outliers_of(std::span<const std::optional<double>> values);

}  // namespace enprof
