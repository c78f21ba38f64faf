// Sums of numbers that anybody may have written.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace enprof {

/// The sum of two numbers that are not negative, at most the largest one that there is.
[[nodiscard]] constexpr std::int64_t capped_sum(std::int64_t a, std::int64_t b) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

/// Rounds each number so that the sum of the rounded ones is the rounded sum: what one loses, the
/// next ones get.
class SumRounder {
 public:
  [[nodiscard]] std::int64_t round(double value) {
    constexpr double kMost = 9e18;  // an imported run may hold any number
    sum_ = std::clamp(sum_ + value, -kMost, kMost);
    const std::int64_t rounded = std::llround(sum_);
    return rounded - std::exchange(rounded_, rounded);
  }

 private:
  double sum_ = 0.0;
  std::int64_t rounded_ = 0;
};

}  // namespace enprof
