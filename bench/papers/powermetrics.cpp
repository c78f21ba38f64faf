#include "bench/papers/powermetrics.hpp"

#include <cmath>

namespace enprof::papers {

Readings read_powermetrics(const PowerCourse& course, const Powermetrics& tool, Dice& dice) {
  Readings readings;
  double begin_s = course.begin_s() + tool.interval_s * dice.unit();
  readings.until(begin_s + dice.wait(tool.write_s), 0.0);
  while (true) {
    const double end_s = begin_s + tool.interval_s + dice.wait(tool.late_s);
    if (end_s > course.end_s()) {
      break;
    }
    const double shown_w = std::round(course.mean_watts(begin_s, end_s) * 1e3) * 1e-3;
    readings.until(end_s + dice.wait(tool.write_s), shown_w * (end_s - begin_s));
    begin_s = end_s;
  }
  readings.set_stamp_error(1e-3);  // as the source states it
  return readings;
}

}  // namespace enprof::papers
