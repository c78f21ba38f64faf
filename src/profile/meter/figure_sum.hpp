// Adds up figures whose spans and shares are no longer available.
#pragma once

#include "enprof/model/figure.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// The figure of several slices of a run together. The energy is the sum of the known energies; the
/// coverage is the share of the time for which energy is known. The mean power is the mean of the
/// slices' powers, weighted by their covered time. It equals the run's own if no root domain stops
/// or resumes giving windows between slices. Errors are added as if independent, but for those of
/// the sensors' scales, which are the same in all slices; the method is the weakest of all. The sum
/// has no baseline and no energy above idle.
class FigureSum {
 public:
  /// `spans`: the number of spans in the figure, which is the weight of its resolution.
  void add(const Figure& figure, std::size_t spans);
  [[nodiscard]] std::size_t spans() const { return spans_; }
  [[nodiscard]] Figure build() const;

 private:
  Figure sum_;
  double covered_ns_ = 0.0;
  double power_ns_ = 0.0;  // W × covered ns
  double windows_ = 0.0;
  double variance_ = 0.0;  // J²
  bool error_known_ = true;
  Joules scale_;  // what the sensors' scales leave open
  bool scale_known_ = true;
  std::size_t spans_ = 0;
};

}  // namespace enprof
