#include "paired_ratio.hpp"

#include "figure.hpp"

#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <utility>

namespace enprof::bench {
namespace {

constexpr int kResamples = 400;

double mean_log_ratio(const std::vector<std::vector<Paired>>& rounds,
                      std::span<const std::size_t> chosen) {
  double sum = 0.0;
  const std::size_t steps = rounds.front().size();
  for (std::size_t step = 0; step < steps; ++step) {
    std::vector<double> logs;
    logs.reserve(chosen.size() * 2);
    for (const std::size_t round : chosen) {
      const Paired& pair = rounds[round][step];
      logs.push_back(std::log(pair.with / pair.before));
      logs.push_back(std::log(pair.with / pair.after));
    }
    sum += median(std::move(logs));
  }
  return sum / static_cast<double>(steps);
}

}  // namespace

PairedRatio paired_ratio(const std::vector<std::vector<Paired>>& rounds) {
  std::vector<std::size_t> chosen(rounds.size());
  for (std::size_t round = 0; round < rounds.size(); ++round) {
    chosen[round] = round;
  }
  const double found = mean_log_ratio(rounds, chosen);
  std::mt19937 random{1};  // NOLINT: the same figures from the same measurements
  std::uniform_int_distribution<std::size_t> any(0, rounds.size() - 1);
  double squares = 0.0;
  for (int resample = 0; resample < kResamples; ++resample) {
    for (std::size_t& round : chosen) {
      round = any(random);
    }
    const double deviation = mean_log_ratio(rounds, chosen) - found;
    squares += deviation * deviation;
  }
  const double ratio = std::exp(found);
  return {.ratio = ratio, .error = ratio * std::sqrt(squares / kResamples)};
}

}  // namespace enprof::bench
