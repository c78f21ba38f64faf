// Adds up figures of which nothing but the result is known any more.
#pragma once

#include "enprof/model/figure.hpp"

#include <cstddef>
#include <optional>

namespace enprof {

/// The figure of several pieces of a run together. Energies are added where they are known; the
/// coverage says how much of the time that is. The mean power is that of the pieces, each as long
/// as it is covered: what the run itself will say, as long as none of the root domains falls silent
/// or comes back between pieces. Errors are added as if independent, and the method is the weakest
/// of all. Baseline and dynamic part are left out.
class FigureSum {
 public:
  /// `spans`: how many spans the figure is of, which weighs its resolution.
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
  std::size_t spans_ = 0;
};

}  // namespace enprof
