#include "attribution/energy_timeline.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace enprof {
namespace {

/// The begin or end of a window, and how the slopes change there.
struct Edge {
  Instant at;
  double power = 0.0;  // J/ns
  double rate = 0.0;   // windows/ns
  int open = 0;        // +1 at a begin, −1 at an end
};

/// Whether its length is positive and its values are small enough for sums of them to be finite.
bool is_usable(const EnergyWindow& window) {
  const Instant latest{EnergyTimeline::kFarthest};
  const Instant earliest{-EnergyTimeline::kFarthest};
  return window.end > window.begin && window.begin >= earliest && window.end <= latest &&
         std::abs(window.energy.value()) <= EnergyTimeline::kMostEnergy.value();
}

/// The relative standard deviation of the windows' powers. The variance is half the mean square of
/// the differences between neighbours: a slow drift of the mean hardly changes it (von Neumann's
/// ratio).
double relative_spread_of(std::span<const EnergyWindow> by_begin) {
  double square_sum = 0.0;
  double sum = 0.0;
  double previous = 0.0;
  for (std::size_t index = 0; index < by_begin.size(); ++index) {
    const double power = by_begin[index].energy.value() / to_ns(by_begin[index].duration());
    sum += power;
    if (index > 0) {
      square_sum += (power - previous) * (power - previous);
    }
    previous = power;
  }
  if (by_begin.size() < 2 || sum <= 0.0) {
    return 0.0;
  }
  const auto count = static_cast<double>(by_begin.size());
  return std::sqrt(square_sum / (count - 1.0) / 2.0) / (sum / count);
}

}  // namespace

EnergyTimeline::EnergyTimeline(std::span<const EnergyWindow> windows, Nanoseconds stamp_error)
    : stamp_error_(stamp_error) {
  const bool in_order = std::ranges::all_of(windows, is_usable) &&
                        std::ranges::is_sorted(windows, {}, &EnergyWindow::begin);
  if (in_order) {  // the windows of a monitor always are
    add(windows);
    return;
  }
  std::vector<EnergyWindow> usable;
  usable.reserve(windows.size());
  std::ranges::copy_if(windows, std::back_inserter(usable), is_usable);
  rejected_ = windows.size() - usable.size();
  std::ranges::stable_sort(usable, {}, &EnergyWindow::begin);
  add(usable);
}

void EnergyTimeline::add(std::span<const EnergyWindow> by_begin) {
  if (by_begin.empty()) {
    return;
  }
  double squares = 0.0;
  double unseen_ns = 0.0;
  double time_ns = 0.0;
  for (const EnergyWindow& window : by_begin) {
    const double error = window.stamp_error_ns > 0 ? static_cast<double>(window.stamp_error_ns)
                                                   : to_ns(stamp_error_);
    squares += error * error;
    const double length_ns = to_ns(window.duration());
    unseen_ns += length_ns * std::min(1.0, window.unseen_permille / 1000.0);
    time_ns += length_ns;
  }
  unseen_ = unseen_ns / time_ns;
  stamp_error_ =
      Nanoseconds{std::llround(std::sqrt(squares / static_cast<double>(by_begin.size())))};
  spread_ = relative_spread_of(by_begin);

  const bool disjoint = std::ranges::adjacent_find(
                            by_begin, [](const EnergyWindow& window, const EnergyWindow& next) {
                              return next.begin < window.end;
                            }) == by_begin.end();
  disjoint ? add_disjoint(by_begin) : add_overlapping(by_begin);
}

void EnergyTimeline::add_knot(Instant at, double energy, double windows, bool covered) {
  Knot knot{.at = at};
  if (!knots_.empty()) {
    Knot& last = knots_.back();
    last.energy = energy;
    knot.energy_before = last.energy_before + energy;
    knot.covered_before = last.covered_before + (covered ? to_ns(at - last.at) : 0.0);
    knot.windows_before = last.windows_before + windows;
  }
  knots_.push_back(knot);
}

void EnergyTimeline::add_disjoint(std::span<const EnergyWindow> by_begin) {
  knots_.reserve(by_begin.size() + 1);
  for (const EnergyWindow& window : by_begin) {
    if (knots_.empty() || knots_.back().at < window.begin) {
      add_knot(window.begin, 0.0, 0.0, false);
    }
    add_knot(window.end, window.energy.value(), 1.0, true);
  }
}

void EnergyTimeline::add_overlapping(std::span<const EnergyWindow> by_begin) {
  std::vector<Edge> edges;
  edges.reserve(2 * by_begin.size());
  for (const EnergyWindow& window : by_begin) {
    const double length = to_ns(window.duration());
    const double power = window.energy.value() / length;
    edges.push_back({window.begin, power, 1.0 / length, 1});
    edges.push_back({window.end, -power, -1.0 / length, -1});
  }
  std::ranges::stable_sort(edges, {}, &Edge::at);

  knots_.reserve(edges.size());
  double power = 0.0;
  double rate = 0.0;
  int open = 0;
  for (std::size_t index = 0; index < edges.size();) {
    const Instant at = edges[index].at;
    const double length = knots_.empty() ? 0.0 : to_ns(at - knots_.back().at);
    add_knot(at, power * length, rate * length, open > 0);
    for (; index < edges.size() && edges[index].at == at; ++index) {
      power += edges[index].power;
      rate += edges[index].rate;
      open += edges[index].open;
    }
    if (open == 0) {  // no window is open: the sums are only rounding errors
      power = 0.0;
      rate = 0.0;
    }
  }
}

std::size_t EnergyTimeline::segment_at(Instant at) const {
  if (knots_.size() < 2 || at < knots_.front().at) {
    return 0;
  }
  return std::min(segment_of(at, 0), knots_.size() - 2);
}

std::size_t EnergyTimeline::segment_of(Instant at, std::size_t hint) const {
  // Finds the last knot at or before `at`; the caller has checked that there is one.
  const std::size_t count = knots_.size();
  std::size_t low = std::min(hint, count - 1);
  if (knots_[low].at > at) {
    low = 0;
  }
  std::size_t step = 1;
  std::size_t high = low + 1;
  while (high < count && knots_[high].at <= at) {  // galloping search: it is usually near `hint`
    low = high;
    high += step;
    step *= 2;
  }
  high = std::min(high, count);
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (knots_[middle].at <= at ? low : high) = middle;
  }
  return low;
}

EnergyTimeline::Value EnergyTimeline::value_at(Instant at, std::size_t segment) const {
  const Knot& knot = knots_[segment];
  if (segment + 1 == knots_.size()) {
    return {.energy = knot.energy_before,
            .covered = knot.covered_before,
            .windows = knot.windows_before};
  }
  const Knot& next = knots_[segment + 1];
  const double length = to_ns(next.at - knot.at);
  const double f = to_ns(at - knot.at) / length;
  const double bridge = knot.energy * spread_;
  const double stamp = knot.energy / length * to_ns(stamp_error_);
  return {.energy = knot.energy_before + knot.energy * f,
          .covered = knot.covered_before + (next.covered_before - knot.covered_before) * f,
          .windows = knot.windows_before + (next.windows_before - knot.windows_before) * f,
          .variance =
              bridge * bridge * f * (1.0 - f) + stamp * stamp * ((1.0 - f) * (1.0 - f) + f * f)};
}

EnergyShare EnergyTimeline::share(Instant begin, Instant end) const {
  Cursor cursor;
  return share(begin, end, cursor);
}

EnergyShare EnergyTimeline::share(Instant begin, Instant end, Cursor& cursor) const {
  if (knots_.empty() || end < begin || end < knots_.front().at || begin > knots_.back().at) {
    return {};
  }
  Value from;  // all zero, as before the first window
  std::size_t segment = cursor.segment;
  if (begin >= knots_.front().at) {
    segment = segment_of(begin, segment);
    from = value_at(begin, segment);
  }
  cursor.segment = segment;
  const Value to = value_at(end, segment_of(end, segment));
  return {.energy = Joules{to.energy - from.energy},
          .covered = Nanoseconds{std::llround(to.covered - from.covered)},
          .windows = to.windows - from.windows,
          .variance = to.variance + from.variance};
}

}  // namespace enprof
