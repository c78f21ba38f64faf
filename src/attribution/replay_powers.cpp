#include "attribution/replay_powers.hpp"

#include "attribution/class_power_fit.hpp"
#include "attribution/segment_walk.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

/// Calls `visit` with each covered window that lies within a slice.
template <class Visit>
void for_each_window(const EnergyTimeline& timeline, std::span<const ReplaySlice> slices,
                     Visit visit) {
  if (timeline.segment_count() == 0 || slices.empty()) {
    return;
  }
  auto slice = slices.begin();
  for (std::size_t at = timeline.segment_at(slices.front().begin); at < timeline.segment_count();
       ++at) {
    const EnergyTimeline::Segment segment = timeline.segment(at);
    while (slice != slices.end() && slice->end < segment.end) {
      ++slice;
    }
    if (slice == slices.end()) {
      return;
    }
    // The begin of a window may be later than its time stamp says.
    if (segment.covered && segment.begin >= slice->begin + timeline.stamp_error()) {
      visit(segment, *slice);
    }
  }
}

double square(double value) { return value * value; }

}  // namespace

std::vector<std::optional<ReplayedPower>> powers_of_replay(const EnergyTimeline& timeline,
                                                           std::span<const ReplaySlice> slices,
                                                           std::size_t classes) {
  std::vector<std::optional<ReplayedPower>> result(classes);
  std::vector<std::size_t> counts(classes);
  double energy_j = 0.0;
  double time_s = 0.0;
  std::size_t windows = 0;
  for_each_window(timeline, slices, [&](const EnergyTimeline::Segment& segment, const auto& slice) {
    ++counts[slice.work];
    ++windows;
    energy_j += segment.energy.value();
    time_s += quick_seconds(segment.length());
  });
  const double mean_w = time_s > 0.0 ? energy_j / time_s : 0.0;
  if (!(mean_w > 0.0)) {
    return result;
  }
  ClassPowerFit fit(
      classes, windows,
      {.mean_w = mean_w,
       .stamp_variance = 2.0 * square(mean_w * quick_seconds(timeline.stamp_error()))},
      Watts{mean_w});
  const Instant begin = slices.front().begin;
  const double per_run = 1.0 / quick_seconds(slices.back().end - begin);
  ClassPowerFit::Part part;
  const auto row = [&](const EnergyTimeline::Segment& segment, const ReplaySlice& slice) {
    const double length_s = quick_seconds(segment.length());
    const double operation_s = quick_seconds(slice.end - slice.begin) /
                               static_cast<double>(std::max<std::size_t>(slice.operations, 1));
    part = {.work = slice.work, .time_s = length_s};
    return ClassPowerFit::Row{.parts = {&part, 1},
                              .energy_j = segment.energy.value(),
                              .length_s = length_s,
                              .squares_s2 = length_s * std::min(operation_s, length_s),
                              .at = quick_seconds(segment.begin - begin) * per_run};
  };
  for_each_window(timeline, slices, [&](const EnergyTimeline::Segment& segment, const auto& slice) {
    fit.add(row(segment, slice));
  });
  fit.solve();
  for_each_window(timeline, slices, [&](const EnergyTimeline::Segment& segment, const auto& slice) {
    fit.check(row(segment, slice));
  });
  const ClassPowers powers = fit.result();
  // What all classes have in common is of no use to a run, and not in the error: see PriorPower.
  const auto covariance = [&](std::size_t a, std::size_t b) {
    return counts[a] > 0 && counts[b] > 0
               ? powers.covariance(a, b) / (powers.watts[a] * powers.watts[b])
               : 0.0;
  };
  const auto measured = static_cast<double>(
      std::ranges::count_if(counts, [](std::size_t count) { return count > 0; }));
  std::vector<double> with_mean(classes);
  double of_mean = 0.0;
  for (std::size_t a = 0; a < classes; ++a) {
    for (std::size_t b = 0; b < classes; ++b) {
      with_mean[a] += covariance(a, b) / measured;
    }
    of_mean += with_mean[a] / measured;
  }
  for (std::size_t work = 0; work < classes; ++work) {
    if (counts[work] > 0) {
      const double variance = covariance(work, work) - 2.0 * with_mean[work] + of_mean;
      result[work] = {.watts = powers.watts[work],
                      .deviation = std::sqrt(std::max(0.0, variance)),
                      .windows = counts[work]};
    }
  }
  return result;
}

}  // namespace enprof
