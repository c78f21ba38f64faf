#include "bench/sim/power_writer.hpp"

namespace enprof::sim {
namespace {

constexpr Nanoseconds kChunk = std::chrono::microseconds{250};

}  // namespace

void PowerWriter::spend(Nanoseconds time, double watts, double factor) {
  while (time > Nanoseconds{0}) {
    const Nanoseconds step = std::min(time, kChunk);
    weather_.pass(step);
    const double noise = step == kChunk ? random_.factor(disturbance_.chunk_noise) : 1.0;
    const double dynamic = (watts - machine_.idle_w) * noise * factor;
    trace_.append(step, Watts{(machine_.idle_w + dynamic) * weather_.gain() + weather_.others_w()});
    time -= step;
  }
}

}  // namespace enprof::sim
