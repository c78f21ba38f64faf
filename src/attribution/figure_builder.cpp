#include "attribution/figure_builder.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace enprof {
namespace {

void add_sensor(std::string& sensors, const std::string& sensor) {
  // Sources are few and their names distinct words, so that a search in the text will do.
  if (("+" + sensors + "+").find("+" + sensor + "+") == std::string::npos) {
    sensors += (sensors.empty() ? "" : "+") + sensor;
  }
}

}  // namespace

std::optional<Watts> idle_error(std::optional<Watts> spread, std::size_t windows) {
  return spread && windows >= 2 ? std::optional{*spread / std::sqrt(static_cast<double>(windows))}
                                : std::nullopt;
}

void FigureBuilder::add(Nanoseconds duration, std::span<const EnergyShare> shares,
                        std::size_t spans) {
  duration_ += duration;
  spans_ += spans;
  for (std::size_t root = 0; root < shares_.size(); ++root) {
    shares_[root] += shares[root];
  }
}

Figure FigureBuilder::build() const {
  Figure figure;
  figure.duration = duration_;
  if (roots_.empty() || duration_ <= Nanoseconds{0}) {
    return figure;
  }

  Joules total;
  Joules baseline;
  Watts mean_power;
  double covered_ns = 0.0;
  double variance = 0.0;
  double windows = 0.0;
  bool any = false;
  bool idle_known = true;
  double idle_variance = 0.0;
  bool idle_error_known = true;
  bool estimated = false;
  for (std::size_t root = 0; root < roots_.size(); ++root) {
    const EnergyShare& share = shares_[root];
    if (share.covered <= Nanoseconds{0}) {
      continue;
    }
    windows = any ? std::min(windows, share.windows) : share.windows;
    any = true;
    total += share.energy;
    mean_power += share.energy / share.covered;
    covered_ns += static_cast<double>(share.covered.count());
    variance += share.variance;
    estimated = estimated || roots_[root].domain->method == Method::estimated;
    add_sensor(figure.quality.sensor, roots_[root].domain->source);
    if (roots_[root].idle_power) {
      baseline += *roots_[root].idle_power * share.covered;
      if (roots_[root].idle_error) {
        idle_variance += std::pow((*roots_[root].idle_error * share.covered).value(), 2);
      } else {
        idle_error_known = false;
      }
    } else {
      idle_known = false;
    }
  }
  if (!any) {
    return figure;
  }

  figure.total = total;
  figure.mean_power = mean_power;
  if (idle_known) {
    figure.baseline = baseline;
    figure.dynamic = total - baseline;
  }
  Quality& quality = figure.quality;
  quality.coverage = std::clamp(
      covered_ns / static_cast<double>(roots_.size()) / static_cast<double>(duration_.count()), 0.0,
      1.0);
  quality.resolution = windows / static_cast<double>(spans_);
  if (estimated) {
    quality.method = Method::estimated;
  } else {
    quality.method =
        *quality.resolution >= kMeasuredWindows ? Method::measured : Method::attributed;
    quality.standard_error = Joules{std::sqrt(std::max(variance, 0.0))};
    if (figure.dynamic && idle_error_known) {
      quality.dynamic_standard_error = Joules{std::sqrt(std::max(variance, 0.0) + idle_variance)};
    }
  }
  return figure;
}

}  // namespace enprof
