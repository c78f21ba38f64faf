#include "bench/papers/power_course.hpp"

#include <algorithm>
#include <cmath>

namespace enprof::papers {

void PowerCourse::add(double length_s, double watts) {
  times_s_.push_back(times_s_.back() + length_s);
  joules_.push_back(joules_.back() + watts * length_s);
}

double PowerCourse::joules_until(double time_s) const {
  const auto right = std::ranges::lower_bound(times_s_, time_s);
  if (right == times_s_.end()) {
    return joules_.back();
  }
  const auto index = static_cast<std::size_t>(right - times_s_.begin());
  if (index == 0) {
    return 0.0;
  }
  const double share = (time_s - times_s_[index - 1]) / (times_s_[index] - times_s_[index - 1]);
  return std::lerp(joules_[index - 1], joules_[index], share);
}

}  // namespace enprof::papers
