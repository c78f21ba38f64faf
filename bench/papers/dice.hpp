// Random numbers for the sensor models of this folder.
#pragma once

#include <cmath>
#include <cstdint>

namespace enprof::papers {

/// SplitMix64 (Steele, Lea, Flood 2014) and what is drawn from it. The same on every platform.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  /// In (0, 1).
  double unit() {
    std::uint64_t bits = state_ += 0x9E3779B97F4A7C15;
    bits = (bits ^ bits >> 30U) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ bits >> 27U) * 0x94D049BB133111EB;
    bits ^= bits >> 31U;
    return (static_cast<double>(bits >> 12U) + 0.5) * 0x1p-52;
  }
  /// Mean 0, standard deviation 1, by Marsaglia's polar method.
  double gauss() {
    while (true) {
      const double x = 2.0 * unit() - 1.0;
      const double y = 2.0 * unit() - 1.0;
      const double square = x * x + y * y;
      if (square > 0.0 && square < 1.0) {
        return x * std::sqrt(-2.0 * std::log(square) / square);
      }
    }
  }
  /// The time until an event that is equally likely at each moment.
  double wait(double mean) { return -mean * std::log(unit()); }

 private:
  std::uint64_t state_;
};

}  // namespace enprof::papers
