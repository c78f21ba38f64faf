// What an experiment will take, and what it can find, before it is done.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "experiment/design.hpp"

#include <optional>
#include <vector>

namespace enprof {

/// How long a run of the point takes, in seconds: by the speeds of the newest run of its model with
/// as many threads, else of the newest of its model. `history` is newest first. Empty if it has no
/// run of the model.
[[nodiscard]] std::optional<double> forecast_time(const ExperimentPoint& point,
                                                  const std::vector<ProfiledRun>& history);

/// The standard deviation between runs of one point of these models, over the mean, of energy per
/// output token (else of decode speed): the root mean square over the points in the history that
/// have kLeastOfPoint runs or more. Empty if it has none.
inline constexpr std::size_t kLeastOfPoint = 4;
[[nodiscard]] std::optional<double> forecast_spread(const std::vector<std::string>& models,
                                                    const std::vector<ProfiledRun>& history);

/// The spread that is taken where the history says nothing.
inline constexpr double kAssumedSpread = 0.02;

/// The probability that a comparison of two points finds a relative difference of their means: that
/// its 95 % interval, of the differences within rounds, leaves out zero. Runs of both have this
/// relative standard deviation, beside what both share in a round. By the noncentral t distribution
/// with n − 1 degrees of freedom and noncentrality |difference|·√n / (√2·spread).
[[nodiscard]] double detection_power(double spread, int repeats, double difference);

/// The smallest difference that is found with this probability. Empty for fewer than two repeats.
[[nodiscard]] std::optional<double> smallest_difference(double spread, int repeats, double power);

}  // namespace enprof
