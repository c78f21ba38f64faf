#include "power/sampler/reading_pace.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
void ReadingPace::start(Instant now, Nanoseconds cpu) {
  at_ = now;
  cpu_ = cpu;
  debt_ns_ = 0.0;
}

std::size_t ReadingPace::left_out(Instant now, Nanoseconds cpu, Instant next, Nanoseconds period) {
  debt_ns_ = std::max(0.0, debt_ns_ + to_ns(cpu - cpu_) - cpu_share_ * to_ns(now - at_));
  at_ = now;
  cpu_ = cpu;
  const double wait_ns = debt_ns_ / cpu_share_ - to_ns(next - now);
  return static_cast<std::size_t>(
      std::clamp(std::ceil(wait_ns / to_ns(period)), 0.0, static_cast<double>(kMostLeftOut)));
}

}  // namespace enprof
