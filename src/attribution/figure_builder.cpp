#include "attribution/figure_builder.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>

namespace enprof {
namespace {

void add_sensor(std::string& sensors, const std::string& sensor) {
  // Sources are few and their names are distinct words, so a search in the text is enough.
  if (("+" + sensors + "+").find("+" + sensor + "+") == std::string::npos) {
    sensors += (sensors.empty() ? "" : "+") + sensor;
  }
}

/// What the scales of the sensors leave open of an energy: by source, because its domains err
/// together.
class ScaleUncertainty {
 public:
  void add(const Domain& domain, Joules energy) {
    if (domain.relative_uncertainty) {
      by_source_[domain.source] += *domain.relative_uncertainty * energy;
    } else {
      is_known_ = false;
    }
  }
  /// Together with an error that is independent of it.
  [[nodiscard]] std::optional<Joules> with(double variance) const {
    if (!is_known_) {
      return std::nullopt;
    }
    for (const auto& [source, energy] : by_source_) {
      variance += std::pow(energy.value(), 2);
    }
    return Joules{std::sqrt(variance)};
  }

 private:
  std::map<std::string_view, Joules> by_source_;
  bool is_known_ = true;
};

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
  ScaleUncertainty scale;
  ScaleUncertainty dynamic_scale;
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
    scale.add(*roots_[root].domain, share.energy);
    if (roots_[root].idle_power) {
      const Joules idle = *roots_[root].idle_power * share.covered;
      baseline += idle;
      dynamic_scale.add(*roots_[root].domain, share.energy - idle);
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
    variance = std::max(variance, 0.0);
    quality.standard_error = Joules{std::sqrt(variance)};
    quality.standard_uncertainty = scale.with(variance);
    if (figure.dynamic && idle_error_known) {
      quality.dynamic_standard_error = Joules{std::sqrt(variance + idle_variance)};
      quality.dynamic_standard_uncertainty = dynamic_scale.with(variance + idle_variance);
    }
  }
  return figure;
}

}  // namespace enprof
