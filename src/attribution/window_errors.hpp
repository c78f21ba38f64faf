// The errors of a share of energy that are the windows' own: when they begin and end, and what
// their sensor did not see.
#pragma once

#include "attribution/class_powers.hpp"
#include "attribution/energy_timeline.hpp"

#include <array>
#include <complex>
#include <cstddef>

namespace enprof {

/// What is known of the errors of a timeline's windows.
///
/// Where the stamp error is a good part of a window, readings did not wait for the sensor's step:
/// each shows the value of the last step, of an age between 0 and one step. From one reading to the
/// next the age grows by the difference of both periods, until it starts again from 0. So the
/// errors of edges hang together, and their sum depends on how the edges of the share lie on that
/// sawtooth. The age's mean, half a step, is one error of all edges, unless the source took it off.
struct WindowErrorModel {
  static constexpr double kFree = 0.05;  ///< of a window's mean length: readings are free above it

  WindowErrorModel(const EnergyTimeline& timeline, Instant origin);

  /// The sawtooth's phase at an edge.
  [[nodiscard]] std::complex<double> phase(Instant edge) const;

  double stamp_s = 0.0;  ///< standard deviation of an edge's time stamp
  double step_s = 0.0;   ///< the counter's, if its readings are free; else 0
  double unseen = 0.0;   ///< share of the windows' time
  /// Correlation of what was missed in a window and in the next: if only power at a window's ends
  /// was measured, each reading is in two windows.
  double sharing = 0.0;
  Instant origin;
};

/// The pieces of a window of which the sensor did not see all.
///
/// What classes do not explain arose in all of the window's time alike, seen or unseen. Of what
/// they do explain, each piece may have been seen or not: where pieces are long and draw different
/// powers, that is most.
class UnseenTime {
 public:
  void add(double watts, double time_s);
  /// J², of the window's energy. `unseen`: share of its time.
  [[nodiscard]] double variance(const ClassPowers& powers, double unseen) const;

 private:
  double joules_ = 0.0;
  double time_s_ = 0.0;
  double squares_j2_ = 0.0;
  double squares_s2_ = 0.0;
  double energy_time_ = 0.0;  // Σ joules × seconds
};

/// A window in which a share has a part.
struct WindowEdges {
  std::size_t index = 0;       ///< of the segment
  double power = 0.0;          ///< W
  double unseen_j = 0.0;       ///< standard deviation because the sensor did not see all of it
  std::complex<double> begin;  ///< WindowErrorModel::phase
  std::complex<double> end;
};

/// Sums up the errors of one share, window by window.
///
/// Variance of the time stamps, with g = mean power × change of the share's part at an edge:
/// - independent edges: stamp² Σ g²;
/// - free readings: the greater of that and of the sawtooth's, whose harmonic k has the amplitude
///   step/(πk): stamp² 6/π² Σ |Σ g e^(ikθ)|² / k²; and 3 stamp² (Σ g)² for the mean age.
class WindowErrors {
 public:
  /// It has this part (0–1) of the energy of a window. Call in order of time.
  void enter(const WindowErrorModel& model, const WindowEdges& window, double part);
  /// J², if it has nothing of the next window.
  [[nodiscard]] double variance(const WindowErrorModel& model) const;

 private:
  static constexpr std::size_t kNothing = ~std::size_t{0};
  static constexpr std::size_t kHarmonics = 3;

  void add_edge(const WindowErrorModel& model, double power_w, std::complex<double> phase);
  void leave(const WindowErrorModel& model) { add_edge(model, power_ * part_, end_); }

  std::size_t segment_ = kNothing;  // the last one of which it had a part
  double part_ = 0.0;
  double power_ = 0.0;
  double unseen_j_ = 0.0;  // its part of what was missed in that window
  std::complex<double> end_;
  double squares_ = 0.0;                                  // Σ g²
  double sum_ = 0.0;                                      // Σ g
  double unseen_ = 0.0;                                   // J²
  std::array<std::complex<double>, kHarmonics> waves_{};  // Σ g e^(ikθ)
};

}  // namespace enprof
