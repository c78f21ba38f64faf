#include "attribution/window_errors.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace enprof {
namespace {

/// Above this share of unseen time only the power at a window's ends was measured.
constexpr double kOnlyEnds = 0.99;

double square(double value) { return value * value; }

double mean_window_s(const EnergyTimeline& timeline) {
  const std::size_t segments = timeline.segment_count();
  return segments == 0
             ? 0.0
             : seconds(timeline.knot(segments) - timeline.knot(0)) / static_cast<double>(segments);
}

}  // namespace

WindowErrorModel::WindowErrorModel(const EnergyTimeline& timeline, Instant first)
    : stamp_s(seconds(timeline.stamp_error())), unseen(timeline.unseen()), origin(first) {
  if (stamp_s > kFree * mean_window_s(timeline)) {
    step_s = stamp_s * std::sqrt(12.0);  // an age anywhere in a step has this standard deviation
  }
  sharing = unseen > kOnlyEnds ? 0.5 : 0.0;
}

std::complex<double> WindowErrorModel::phase(Instant edge) const {
  return step_s > 0.0 ? std::polar(1.0, 2.0 * std::numbers::pi * (seconds(edge - origin) / step_s))
                      : std::complex<double>{};
}

void UnseenTime::add(double watts, double time_s) {
  const double joules = watts * time_s;
  joules_ += joules;
  time_s_ += time_s;
  squares_j2_ += square(joules);
  squares_s2_ += square(time_s);
  energy_time_ += joules * time_s;
}

double UnseenTime::variance(const ClassPowers& powers, double unseen) const {
  if (!(time_s_ > 0.0)) {
    return 0.0;
  }
  const double fitted = powers.noise.scale * (square(WindowNoise::kPieceSpread) * squares_j2_ +
                                              square(WindowNoise::kWholeSpread * joules_));
  // A guess has the weight of one window: a few windows say little about the noise.
  const auto windows = static_cast<double>(powers.windows);
  const double unexplained =
      (windows * fitted + square(WindowNoise::kUnseenSpread * joules_)) / (windows + 1.0);
  const double mean_w = joules_ / time_s_;
  const double differences =
      squares_j2_ - 2.0 * mean_w * energy_time_ + square(mean_w) * squares_s2_;
  const double odds = std::min(unseen / std::max(1.0 - unseen, 0.25), 3.0);
  return unseen * unexplained + odds * std::max(0.0, differences);
}

void WindowErrors::add_edge(const WindowErrorModel& model, double power_w,
                            std::complex<double> phase) {
  squares_ += square(power_w);
  sum_ += power_w;
  if (model.step_s > 0.0) {
    std::complex<double> wave = power_w;
    for (std::complex<double>& harmonic : waves_) {
      wave *= phase;
      harmonic += wave;
    }
  }
}

void WindowErrors::enter(const WindowErrorModel& model, const WindowEdges& window, double part) {
  const bool adjoins = segment_ != kNothing && segment_ + 1 == window.index;
  if (adjoins) {
    if (part != part_) {
      add_edge(model, (power_ + window.power) / 2.0 * (part_ - part), window.begin);
    }
  } else {
    if (segment_ != kNothing) {
      leave(model);
    }
    add_edge(model, -window.power * part, window.begin);
  }
  const double missed_j = window.unseen_j * part;
  unseen_ += square(missed_j) + (adjoins ? 2.0 * model.sharing * missed_j * unseen_j_ : 0.0);
  segment_ = window.index;
  part_ = part;
  power_ = window.power;
  unseen_j_ = missed_j;
  end_ = window.end;
}

double WindowErrors::variance(const WindowErrorModel& model) const {
  WindowErrors all = *this;
  all.leave(model);
  double edges = all.squares_;
  if (model.step_s > 0.0) {
    double harmonics = 0.0;
    double shares = 0.0;
    for (std::size_t k = 1; k <= kHarmonics; ++k) {
      const double share = 6.0 / square(std::numbers::pi * static_cast<double>(k));
      harmonics += share * std::norm(all.waves_[k - 1]);
      shares += share;
    }
    harmonics += (1.0 - shares) * all.squares_;  // the higher ones: as if edges were independent
    edges = std::max(edges, harmonics) + 3.0 * square(all.sum_);
  }
  return square(model.stamp_s) * edges + all.unseen_;
}

}  // namespace enprof
