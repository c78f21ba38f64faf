// True power over time, in seconds and watts.
#pragma once

#include <cstddef>
#include <vector>

namespace enprof::papers {

/// Power that stays constant between vertices. Threads: const once it is written.
class PowerCourse {
 public:
  /// It begins at this time.
  explicit PowerCourse(double begin_s) : times_s_{begin_s}, joules_{0.0} {}

  void add(double length_s, double watts);

  [[nodiscard]] double begin_s() const { return times_s_.front(); }
  [[nodiscard]] double end_s() const { return times_s_.back(); }
  /// Energy from the begin until this time; before the begin and after the end nothing is drawn.
  [[nodiscard]] double joules_until(double time_s) const;
  [[nodiscard]] double mean_watts(double from_s, double to_s) const {
    return (joules_until(to_s) - joules_until(from_s)) / (to_s - from_s);
  }

 private:
  std::vector<double> times_s_;  // of the vertices, ascending
  std::vector<double> joules_;   // until each of them
};

}  // namespace enprof::papers
