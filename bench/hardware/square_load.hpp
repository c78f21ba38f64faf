// A load that is on and off in turns, so that one knows which half used the energy.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace enprof::hardware {

/// When the load was on and off: the halves of a square wave, one after the other, the first one
/// on.
struct Half {
  Instant begin;
  Instant end;
  bool on = false;
};

/// What the device did: the halves, and how well the load kept to its plan.
struct LoadCourse {
  std::vector<Half> halves;
  Nanoseconds worst_edge{0};  ///< the largest distance of a real edge from the planned one
};

class SquareLoad {
 public:
  SquareLoad() = default;
  SquareLoad(const SquareLoad&) = delete;
  SquareLoad& operator=(const SquareLoad&) = delete;
  virtual ~SquareLoad() = default;

  /// For people: "1 thread, pinned", "NVIDIA A100".
  [[nodiscard]] virtual std::string description() const = 0;
  /// Runs so many halves of this length from an instant on, and returns after the last. The halves
  /// are as long as they really were.
  [[nodiscard]] virtual Result<LoadCourse> run(Instant begin, Nanoseconds half,
                                               std::size_t count) = 0;
};

}  // namespace enprof::hardware
