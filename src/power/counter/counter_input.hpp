// Where the values of an energy counter come from.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>

namespace enprof {

/// A counter that can be read at any time, as fast as one system call. Threads: one at a time.
class CounterInput {
 public:
  CounterInput() = default;
  CounterInput(const CounterInput&) = delete;
  CounterInput& operator=(const CounterInput&) = delete;
  virtual ~CounterInput() = default;

  [[nodiscard]] virtual Result<std::uint64_t> read() = 0;
  /// Called where the counter has stood still for long: its driver may have been reloaded, and what
  /// is open may lead to what is no longer there.
  virtual void renew() {}
};

}  // namespace enprof
