#include "bench/papers/nvml.hpp"

#include <cmath>

namespace enprof::papers {

Readings read_nvml_counter(const PowerCourse& course, const NvmlSensor& sensor,
                           const NvmlCounterReader& reader, Dice& dice) {
  Readings readings;
  double energy_mj = 1e6 * dice.unit();  // since the driver was loaded
  double shown_mj = std::floor(energy_mj);
  double renewed_s = course.begin_s() + sensor.period_s * (0.25 + dice.unit());
  const double loop_s = reader.look_s * dice.unit();  // the phase of the reader's loop
  for (; renewed_s < course.end_s(); renewed_s += sensor.period_s) {
    energy_mj += 1e3 * course.mean_watts(renewed_s - sensor.window_s, renewed_s) * sensor.period_s;
    const double visible_s = renewed_s + dice.wait(reader.publish_s);
    const double looks = std::ceil((visible_s - loop_s) / reader.look_s);
    const double seen_s = loop_s + looks * reader.look_s;
    readings.until(seen_s - reader.look_s / 2.0, 1e-3 * (std::floor(energy_mj) - shown_mj));
    shown_mj = std::floor(energy_mj);
  }
  readings.set_stamp_error(anywhere_in(reader.look_s));
  readings.set_unseen(1.0 - sensor.window_s / sensor.period_s);
  return readings;
}

Readings read_lagging_power(const PowerCourse& course, const LaggingPower& sensor, Dice& dice) {
  Readings readings;
  // The capacitor is followed in steps that are short against its time constant.
  constexpr double kStep = 0.5e-3;
  const double keep = std::exp(-kStep / sensor.time_constant_s);
  double charge_w = course.mean_watts(course.begin_s(), course.begin_s() + sensor.period_s);
  double next_s = course.begin_s() + sensor.period_s * dice.unit();
  double last_s = 0.0;
  double last_w = 0.0;
  bool has_last = false;
  for (double now_s = course.begin_s(); now_s + kStep < course.end_s(); now_s += kStep) {
    charge_w = charge_w * keep + course.mean_watts(now_s, now_s + kStep) * (1.0 - keep);
    if (now_s + kStep < next_s) {
      continue;
    }
    const double shown_w = std::round(charge_w * 1e3) * 1e-3;
    readings.until(next_s, has_last ? (last_w + shown_w) / 2.0 * (next_s - last_s) : 0.0);
    last_s = next_s;
    last_w = shown_w;
    has_last = true;
    next_s += sensor.period_s;
  }
  readings.set_stamp_error(anywhere_in(sensor.period_s));
  return readings;
}

}  // namespace enprof::papers
