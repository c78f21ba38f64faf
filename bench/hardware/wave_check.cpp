#include "wave_check.hpp"

#include "enprof/attribution/energy_attribution.hpp"

#include "base/sleeper.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace enprof::hardware {
namespace {

constexpr std::size_t kBins = 40;
constexpr Nanoseconds kRest = std::chrono::milliseconds{500};  // before the wave, and after it

/// The root domains' windows, and what they add up to.
class Windows {
 public:
  Windows(const std::vector<Domain>& domains, const WindowsByDomain& windows)
      : domains_(domains), windows_(windows) {}

  /// Mean power of the windows that lie within the middle of the halves that are on, or off, summed
  /// over the roots. Empty where a root has no such window.
  [[nodiscard]] std::optional<Watts> within(const std::vector<Half>& halves, bool on) const {
    constexpr double kMargin = 0.15;  // of a half: the load is not at once at its power
    Watts sum;
    bool any = false;
    for (std::size_t domain = 0; domain < domains_.size(); ++domain) {
      if (!domains_[domain].is_root()) {
        continue;
      }
      Joules energy;
      Nanoseconds time{0};
      for (const EnergyWindow& window : windows_[domain]) {
        const auto half = std::ranges::upper_bound(halves, window.begin, {}, &Half::begin);
        if (half == halves.begin()) {
          continue;
        }
        const Half& inside = *(half - 1);
        const auto margin = std::chrono::round<Nanoseconds>(
            std::chrono::duration<double, std::nano>(inside.end - inside.begin) * kMargin);
        if (inside.on == on && window.begin >= inside.begin + margin &&
            window.end <= inside.end - margin) {
          energy += window.energy;
          time += window.duration();
        }
      }
      if (time <= Nanoseconds{0}) {
        return std::nullopt;
      }
      sum += energy / time;
      any = true;
    }
    return any ? std::optional{sum} : std::nullopt;
  }

  [[nodiscard]] std::vector<std::optional<double>> folded(Instant begin, Nanoseconds cycle,
                                                          std::size_t cycles) const {
    std::vector<double> joules(kBins, 0.0);
    std::vector<double> covered(kBins, 0.0);
    std::size_t roots = 0;
    const double bin_s = seconds(cycle) / kBins;
    for (std::size_t domain = 0; domain < domains_.size(); ++domain) {
      if (!domains_[domain].is_root()) {
        continue;
      }
      ++roots;
      for (const EnergyWindow& window : windows_[domain]) {
        const double from = std::max(seconds(window.begin - begin), 0.0);
        const double to =
            std::min(seconds(window.end - begin), seconds(cycle) * static_cast<double>(cycles));
        if (to <= from) {
          continue;
        }
        const double watts = (window.energy / window.duration()).value();
        for (auto bin = static_cast<std::int64_t>(from / bin_s);
             static_cast<double>(bin) * bin_s < to; ++bin) {
          const double overlap = std::min(to, static_cast<double>(bin + 1) * bin_s) -
                                 std::max(from, static_cast<double>(bin) * bin_s);
          if (overlap > 0) {
            const auto place = static_cast<std::size_t>(bin) % kBins;
            joules[place] += watts * overlap;
            covered[place] += overlap;
          }
        }
      }
    }
    std::vector<std::optional<double>> result(kBins);
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      if (covered[bin] > 0) {  // each root covers a bin once a cycle
        result[bin] = joules[bin] / covered[bin] * static_cast<double>(roots);
      }
    }
    return result;
  }

  void count(WaveFigures& figures) const {
    std::vector<Nanoseconds> lengths;
    for (std::size_t domain = 0; domain < domains_.size(); ++domain) {
      if (domains_[domain].is_root()) {
        for (const EnergyWindow& window : windows_[domain]) {
          lengths.push_back(window.duration());
        }
      }
    }
    figures.windows = lengths.size();
    if (!lengths.empty()) {
      std::ranges::nth_element(lengths,
                               lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2));
      figures.window = lengths[lengths.size() / 2];
    }
  }

 private:
  const std::vector<Domain>& domains_;
  const WindowsByDomain& windows_;
};

std::optional<Watts> mean_power(const std::vector<HalfEnergy>& halves, bool on) {
  Joules energy;
  Nanoseconds time{0};
  for (const HalfEnergy& half : halves) {
    if (half.on == on && half.energy) {
      energy += *half.energy;
      time += half.duration;
    }
  }
  return time > Nanoseconds{0} ? std::optional{energy / time} : std::nullopt;
}

/// The run, and each half as one of its output tokens.
std::vector<Span> spans_of(const std::vector<Half>& halves) {
  std::vector<Span> spans{
      {.begin = halves.front().begin, .end = halves.back().end, .level = Level::run}};
  for (std::size_t index = 0; index < halves.size(); ++index) {
    spans.push_back({.begin = halves[index].begin,
                     .end = halves[index].end,
                     .parent = 0,
                     .token = static_cast<std::int32_t>(index),
                     .level = Level::token,
                     .phase = Phase::decode});
  }
  return spans;
}

}  // namespace

Result<WaveFigures> check_wave(PowerMonitor& monitor, SquareLoad& load, double hertz,
                               Nanoseconds duration) {
  const auto half = std::chrono::round<Nanoseconds>(std::chrono::duration<double>(0.5 / hertz));
  constexpr std::size_t kLeastCycles = 3;
  const std::size_t cycles = std::max(
      kLeastCycles, static_cast<std::size_t>(std::ceil(seconds(duration) / seconds(2 * half))));
  monitor.sync();
  const Instant begin = monotonic_clock().now() + kRest;
  const auto course = load.run(begin, half, 2 * cycles);
  if (!course) {
    return std::unexpected(course.error());
  }
  const std::vector<Half>& halves = course->halves;
  monotonic_sleeper().sleep_until(halves.back().end + kRest);
  monitor.sync();

  const Instant end = halves.back().end;
  const TrustedDomains trusted = monitor.trusted_domains(halves.front().begin, end);
  const WindowsByDomain windows = monitor.windows(halves.front().begin - kRest, end + kRest);
  const std::vector<Span> spans = spans_of(halves);
  // Kinds of work, as a run has them: what is on, and what is off.
  std::vector<std::uint32_t> classes{AttributionRequest::kNoClass};
  for (const Half& each : halves) {
    classes.push_back(each.on ? 1 : 0);
  }
  const auto energy = attribute_energy({.domains = trusted.domains,
                                        .windows = windows,
                                        .spans = spans,
                                        .classes = classes,
                                        .idle_power = {}});
  if (!energy) {
    return std::unexpected(energy.error());
  }
  WaveFigures figures{.hertz = hertz, .worst_edge = course->worst_edge};
  const Figure& whole = energy->spans[0];
  figures.coverage = whole.quality.coverage;
  double sum = 0.0;
  bool complete = whole.total.has_value();
  for (std::size_t index = 0; index < halves.size(); ++index) {
    const Figure& figure = energy->spans[index + 1];
    figures.halves.push_back({.on = halves[index].on,
                              .begin = halves[index].begin - halves.front().begin,
                              .duration = halves[index].end - halves[index].begin,
                              .energy = figure.total,
                              .standard_error = figure.quality.standard_error});
    complete = complete && figure.total;
    sum += figure.total ? figure.total->value() : 0.0;
  }
  if (complete && whole.total->value() > 0) {
    figures.conservation = std::abs(sum - whole.total->value()) / whole.total->value();
  }
  figures.on = mean_power(figures.halves, true);
  figures.off = mean_power(figures.halves, false);
  const Windows of_roots(trusted.domains, windows);
  figures.on_windows = of_roots.within(halves, true);
  figures.off_windows = of_roots.within(halves, false);
  figures.folded_watts = of_roots.folded(halves.front().begin, 2 * half, cycles);
  of_roots.count(figures);
  figures.warnings = monitor.warnings(begin);
  figures.warnings.insert(figures.warnings.end(), trusted.warnings.begin(), trusted.warnings.end());
  return figures;
}

}  // namespace enprof::hardware
