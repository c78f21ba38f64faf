// Which points are not beaten in speed and energy at once.
#pragma once

#include "experiment/analysis/point_data.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof {

enum class ParetoState : std::uint8_t {
  front,      ///< no other point's means are at least as good in both
  undecided,  ///< another point's means are, but the intervals allow the opposite
  dominated,  ///< another point is better in both, and the intervals leave no doubt
};
[[nodiscard]] std::string_view to_string(ParetoState state) noexcept;

struct ParetoPoint {
  std::size_t point = 0;  ///< index into the data's points
  ParetoState state = ParetoState::front;
  std::vector<std::size_t> by{};  ///< those that dominate it; where undecided, those that may
};

struct ParetoFront {
  std::vector<ParetoPoint> points{};    ///< that have both figures, cheapest first
  std::vector<std::size_t> left_out{};  ///< points without one of them
  /// Of each comparison: all together hold 95 % (Bonferroni).
  double confidence = kUsualConfidence;
  bool lacks_repeats = false;  ///< a point has one run, and so no interval
};

/// Decode speed against energy per output token. Points are compared as `enprof compare` does: by
/// rounds where they share some.
[[nodiscard]] ParetoFront pareto_front(const ExperimentData& data);

}  // namespace enprof
