#include "profile/assemble/calibrated_priors.hpp"

#include "attribution/replay_powers.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace enprof {
namespace {

/// The sum over the operations of a class or component.
struct Sum {
  double time_s = 0.0;
  double energy_j = 0.0;
  double deviation_j = 0.0;  // as if all deviated in the same direction

  void add(const CalibratedClass& measured, const CalibratedClass::Power& power) {
    const double pass_s = std::max(seconds(measured.pass_time), 1e-9);
    const double joules = power.power.value() * pass_s;
    time_s += pass_s;
    energy_j += joules;
    deviation_j += joules * deviation(measured, power);
  }
  [[nodiscard]] PriorPower prior() const {
    return {.watts = energy_j / time_s, .deviation = deviation_j / energy_j};
  }

 private:
  [[nodiscard]] static double deviation(const CalibratedClass& measured,
                                        const CalibratedClass::Power& power) {
    constexpr double kPowerBySpeed = 0.5;
    double speed = 0.0;
    if (measured.pass_time > Nanoseconds{0} && measured.replayed_time > Nanoseconds{0}) {
      speed =
          kPowerBySpeed * std::log(seconds(measured.replayed_time) / seconds(measured.pass_time));
    }
    return std::hypot(power.deviation, kReplayDeviation, speed);
  }
};

using Key = std::tuple<Phase, std::string_view, std::string_view>;

}  // namespace

ClassPriors priors_of(const Calibration& calibration, std::string_view domain,
                      const std::vector<const SpanClass*>& classes) {
  ClassPriors priors(classes.size());
  const auto& domains = calibration.key.domains;
  const auto found = std::ranges::find(domains, domain);
  if (found == domains.end()) {
    return priors;
  }
  const auto index = static_cast<std::size_t>(found - domains.begin());
  std::map<Key, Sum> sums;
  for (const CalibratedClass& measured : calibration.classes) {
    if (index < measured.powers.size() && measured.powers[index] &&
        measured.powers[index]->power > Watts{0}) {
      for (const std::string_view op : {std::string_view{measured.op}, std::string_view{}}) {
        sums[{measured.phase, measured.component, op}].add(measured, *measured.powers[index]);
      }
    }
  }
  for (std::size_t number = 0; number < classes.size(); ++number) {
    const SpanClass& named = *classes[number];
    if (const auto sum = sums.find({named.phase, named.component, named.op}); sum != sums.end()) {
      priors[number] = sum->second.prior();
    }
  }
  return priors;
}

}  // namespace enprof
