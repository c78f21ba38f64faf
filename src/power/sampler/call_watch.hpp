// Whether a thread is in a call that may never return.
#pragma once

#include "enprof/base/units.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <type_traits>

namespace enprof {

/// One thread makes its calls into a sensor's code through this. Others learn whether one is under
/// way and since when, and can leave the thread behind there: once its call returns, it is told so,
/// and must then touch nothing that it does not own.
///
/// Threads: make from one; the rest from any.
class CallWatch {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  /// Calls, and returns what the call returned; empty where the thread was left behind meanwhile.
  /// The call throws nothing.
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
  /// When to end waiting for an answer that was asked for at `asked`: after `patience`, counted
  /// from then, or from the beginning of the call under way, where that was earlier. A sensor that
  /// has kept others waiting before has had its time.
  [[nodiscard]] SteadyTime deadline(SteadyTime asked, Nanoseconds patience) const;

  /// Leaves the thread behind in its call. False where it is in none: it will answer, or make one.
  [[nodiscard]] bool leave_thread_behind();
  [[nodiscard]] bool is_thread_left_behind() const;
  /// The thread has ended, or a new one takes its place.
  void reset();

 private:
  void enter();
  [[nodiscard]] bool leave();

  mutable std::mutex mutex_;
  std::optional<SteadyTime> under_way_since_;
  bool is_left_behind_ = false;
};

}  // namespace enprof
