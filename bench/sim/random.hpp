// Random numbers that are the same on every platform, unlike the standard's distributions.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace enprof::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Mean 0, standard deviation 1 (Box and Muller).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// A factor around 1 whose logarithm has the standard deviation `sigma`; its mean is 1.
  double factor(double sigma) { return std::exp(sigma * normal() - sigma * sigma / 2.0); }
  double exponential(double mean) { return -mean * std::log(1.0 - uniform()); }
  bool chance(double probability) { return uniform() < probability; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace enprof::sim
