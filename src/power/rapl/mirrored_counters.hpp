// Finds counters of several dies that are one counter of their socket.
#pragma once

#include "base/sleeper.hpp"
#include "power/rapl/rapl_counters.hpp"

#include <cstddef>
#include <vector>

namespace enprof {

/// A counter that shows what an earlier one does.
struct MirroredCounter {
  std::size_t counter = 0;
  std::size_t original = 0;
};

/// Dies of AMD's first and second Zen (Threadripper, EPYC) may all show the counter of their socket
/// (github.com/mlco2/codecarbon, issues 1274 and 1379): their sum would count it several times.
///
/// Counters of one kind, of dies of one socket, are watched together: they are one where they show
/// the same value, give or take a step, for kMirrorSteps steps, or after kLongestMirrorWatch with
/// fewer steps. Perf events count from when they were opened, which is not at one instant:
/// they are one where they step by the same, and by other values each time. Dies that count apart
/// differ at the first look. Takes no time where no socket has several dies.
[[nodiscard]] std::vector<MirroredCounter> find_mirrored(const std::vector<RaplCounter>& counters,
                                                         const Clock& clock,
                                                         const Sleeper& sleeper);

inline constexpr std::size_t kMirrorSteps = 5;
inline constexpr Nanoseconds kLongestMirrorWatch = std::chrono::milliseconds{300};

}  // namespace enprof
