// An energy and how far to trust it.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"

#include <optional>
#include <string>

namespace enprof {

/// Goes with every energy.
struct Quality {
  std::string sensor;  ///< sources that contributed, "+"-joined: "rapl", "rapl+nvml"; may be empty
  std::optional<Method> method;  ///< empty where nothing was measured
  double coverage = 0.0;         ///< 0–1: share of the span's time that windows cover
  std::optional<double>
      resolution;  ///< windows per span; below 1 the span is finer than the sensor
  std::optional<Joules> standard_error;  ///< of the total; empty where it is not known
  /// Of the dynamic part: the total's, and the baseline's, which is known no better than the idle
  /// time was long. One standard deviation each.
  std::optional<Joules> dynamic_standard_error;
  /// 0–1: share of the machine's busy CPU time that other processes used meanwhile.
  std::optional<double> foreign_cpu_share;

  friend bool operator==(const Quality&, const Quality&) = default;
};

/// The energy of a span, or of several together. What was not measured is empty, never zero.
/// Where total and baseline are both known, total = baseline + dynamic.
struct Figure {
  Nanoseconds duration{0};
  std::optional<Joules> total;      ///< what the root domains used
  std::optional<Joules> baseline;   ///< what they would have used idle: idle power × duration
  std::optional<Joules> dynamic;    ///< the difference: what the work cost
  std::optional<Watts> mean_power;  ///< total / duration, over the time that windows cover
  Quality quality;

  friend bool operator==(const Figure&, const Figure&) = default;
};

}  // namespace enprof
