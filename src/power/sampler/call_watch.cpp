#include "power/sampler/call_watch.hpp"

#include <algorithm>

namespace enprof {

bool CallWatch::is_under_way() const {
  const std::lock_guard lock(mutex_);
  return under_way_since_.has_value();
}

CallWatch::SteadyTime CallWatch::deadline(SteadyTime asked, Nanoseconds patience) const {
  const std::lock_guard lock(mutex_);
  return std::min(asked, under_way_since_.value_or(asked)) + patience;
}

bool CallWatch::leave_thread_behind() {
  const std::lock_guard lock(mutex_);
  is_left_behind_ = is_left_behind_ || under_way_since_.has_value();
  return is_left_behind_;
}

bool CallWatch::is_thread_left_behind() const {
  const std::lock_guard lock(mutex_);
  return is_left_behind_;
}

void CallWatch::reset() {
  const std::lock_guard lock(mutex_);
  under_way_since_.reset();
  is_left_behind_ = false;
}

void CallWatch::enter() {
  const std::lock_guard lock(mutex_);
  under_way_since_ = std::chrono::steady_clock::now();
}

bool CallWatch::leave() {
  const std::lock_guard lock(mutex_);
  under_way_since_.reset();
  return !is_left_behind_;
}

}  // namespace enprof
