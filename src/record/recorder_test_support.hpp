// A clock and plans for tests of recorders.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/operation.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace enprof::testing {

/// Advances by one millisecond at each reading.
class TickingClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const noexcept override {
    return now_ += std::chrono::milliseconds{1};
  }

 private:
  mutable Instant now_{};
};

/// So many operations of different components.
inline SharedPlan plan_of(std::size_t count) {
  OperationPlan plan;
  for (std::size_t index = 0; index < count; ++index) {
    plan.operations.push_back({.component = "op " + std::to_string(index)});
  }
  return std::make_shared<const OperationPlan>(std::move(plan));
}

}  // namespace enprof::testing
