// Waiting for what another thread or process does.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace enprof::testing {

/// So long a test waits for what should come soon, on the slowest of machines.
inline constexpr std::chrono::seconds kLongWait{120};

/// Waits until the condition holds: for an effect that can be seen, and never for time to pass. A
/// test whose condition never holds fails with a std::runtime_error that says what it waited for.
template <class Condition>
void wait_until(std::string_view what, const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kLongWait;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("Waited for " + std::to_string(kLongWait.count()) +
                               " s, but it is not so: " + std::string{what});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

}  // namespace enprof::testing
