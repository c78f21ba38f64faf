#include "attribution/replay_schedule.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace enprof {

std::vector<ReplayTurn> schedule_replay(std::size_t classes, Nanoseconds budget,
                                        Nanoseconds window) {
  std::vector<ReplayTurn> turns;
  if (classes == 0) {
    return turns;
  }
  const auto needed = Nanoseconds{static_cast<Nanoseconds::rep>(
      kWindowsPerTurn * static_cast<double>(std::max(window, Nanoseconds{0}).count()))};
  const Nanoseconds shortest = std::max(kShortestTurn, needed);
  const auto count = static_cast<Nanoseconds::rep>(classes);
  const auto rounds = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::max(budget, Nanoseconds{0}) / (shortest * count)), 1,
      kMostRounds);
  const Nanoseconds length =
      std::max(shortest, budget / (count * static_cast<Nanoseconds::rep>(rounds)));

  std::vector<std::uint32_t> order(classes);
  std::iota(order.begin(), order.end(), 0U);
  std::mt19937 random(1);  // the standard fixes its numbers, though not those of its distributions
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t left = classes; left > 1; --left) {
      std::swap(order[left - 1], order[random() % left]);
    }
    for (const std::uint32_t work : order) {
      turns.push_back({.work = work, .length = length});
    }
  }
  return turns;
}

}  // namespace enprof
