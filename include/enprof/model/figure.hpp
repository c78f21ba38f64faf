// An energy and its quality.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"

#include <cmath>
#include <optional>
#include <string>

namespace enprof {

/// The quality of an energy. Errors and uncertainties are each one standard deviation.
struct Quality {
  std::string sensor;  ///< sources that contributed, "+"-joined: "rapl", "rapl+nvml"; may be empty
  std::optional<Method> method;  ///< empty if nothing was measured
  double coverage = 0.0;         ///< 0–1: share of the span's time that windows cover
  std::optional<double>
      resolution;  ///< windows per span; below 1, the span is shorter than a window
  /// Of the total: what attribution does not know. It leaves out the error of the sensor's scale,
  /// which cancels when runs on one machine are compared. Empty if unknown.
  std::optional<Joules> standard_error;
  /// The same of the dynamic part: combines the total's error and the baseline's, which depends on
  /// how long the idle measurement was.
  std::optional<Joules> dynamic_standard_error;
  /// Of the total: the combined standard uncertainty (JCGM 100:2008, 5.1.2), of standard_error and
  /// of the sensors' scales (Domain::relative_uncertainty). Sources are independent of each other;
  /// domains of one source err together. Empty where one of these is unknown.
  std::optional<Joules> standard_uncertainty;
  /// The same of the dynamic part. A wrong scale changes it in proportion.
  std::optional<Joules> dynamic_standard_uncertainty;
  /// 0–1: share of the machine's busy CPU time that other processes used meanwhile.
  std::optional<double> foreign_cpu_share;

  /// The part of standard_uncertainty that the sensors' scales have.
  [[nodiscard]] std::optional<Joules> sensor_uncertainty() const {
    if (!standard_uncertainty || !standard_error) {
      return std::nullopt;
    }
    const double squares = standard_uncertainty->value() * standard_uncertainty->value() -
                           standard_error->value() * standard_error->value();
    return Joules{squares > 0.0 ? std::sqrt(squares) : 0.0};
  }

  friend bool operator==(const Quality&, const Quality&) = default;
};

/// The energy of a span, or of several spans together. Values that were not measured are empty,
/// never zero. If total and baseline are both known, total = baseline + dynamic.
struct Figure {
  Nanoseconds duration{0};
  std::optional<Joules> total;      ///< what the root domains used
  std::optional<Joules> baseline;   ///< what they would have used idle: idle power × covered time
  std::optional<Joules> dynamic;    ///< the energy above idle: total − baseline
  std::optional<Watts> mean_power;  ///< total / duration, over the time that windows cover
  Quality quality;

  friend bool operator==(const Figure&, const Figure&) = default;
};

}  // namespace enprof
