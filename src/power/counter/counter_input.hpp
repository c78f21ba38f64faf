// The source of an energy counter's values.
#pragma once

#include "enprof/base/error.hpp"

#include "power/counter/counter_point.hpp"

#include <cstdint>
#include <memory>

namespace enprof {

/// A counter that can be read at any time, with one system call. Threads: one at a time.
class CounterInput {
 public:
  CounterInput() = default;
  CounterInput(const CounterInput&) = delete;
  CounterInput& operator=(const CounterInput&) = delete;
  virtual ~CounterInput() = default;

  [[nodiscard]] virtual Result<std::uint64_t> read() = 0;
  /// Called when the counter has not changed for a long time: its driver may have been reloaded,
  /// and an open file may refer to a device that no longer exists.
  virtual void renew() {}
  /// For another thread; null if only the source's thread can read this counter.
  [[nodiscard]] virtual std::shared_ptr<const CounterPoint> point() { return nullptr; }
};

}  // namespace enprof
