// Notices whether a thread is in a call that may never return.
#pragma once

#include "enprof/base/units.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <type_traits>

namespace enprof {

/// One thread makes its calls into a sensor's code through this class. Other threads see whether a
/// call is in progress and since when, and can leave the thread behind in it. When the call
/// returns, the thread learns this, and must then access only what it owns.
///
/// Threads: make from one; the rest from any.
class CallWatch {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  /// Makes the call and returns its result; empty if the thread was left behind meanwhile. The call
  /// must not throw.
  template <class Call>
  [[nodiscard]] std::optional<std::invoke_result_t<const Call&>> make(const Call& call) {
    enter();
    auto result = call();
    if (!leave()) {
      return std::nullopt;
    }
    return result;
  }

  [[nodiscard]] bool is_under_way() const;
  /// Until when to wait for an answer that was requested at `asked`: for `patience` from then, or
  /// from the begin of the current call if that was earlier, since the sensor has already had that
  /// time.
  [[nodiscard]] SteadyTime deadline(SteadyTime asked, Nanoseconds patience) const;

  /// Leaves the thread behind in its call. False if it is not in a call: then it can still answer.
  [[nodiscard]] bool leave_thread_behind();
  [[nodiscard]] bool is_thread_left_behind() const;
  /// Call this when the thread has ended, or before a new one starts.
  void reset();

 private:
  void enter();
  [[nodiscard]] bool leave();

  mutable std::mutex mutex_;
  std::optional<SteadyTime> under_way_since_;
  bool is_left_behind_ = false;
};

}  // namespace enprof
