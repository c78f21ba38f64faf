#include "attribution/replay_schedule.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <ranges>
#include <utility>

namespace enprof {
namespace {

/// The classes that matter most, so many of them, in their order.
std::vector<std::uint32_t> heaviest(std::span<const double> weights, std::size_t count) {
  std::vector<std::uint32_t> classes(weights.size());
  std::ranges::copy(std::views::iota(0U, static_cast<std::uint32_t>(weights.size())),
                    classes.begin());
  std::ranges::stable_sort(classes, std::ranges::greater{},
                           [&](std::uint32_t work) { return weights[work]; });
  classes.resize(std::min(classes.size(), count));
  std::ranges::sort(classes);
  return classes;
}

}  // namespace

Nanoseconds shortest_turn(Nanoseconds window) {
  const auto needed = Nanoseconds{static_cast<Nanoseconds::rep>(
      kWindowsPerTurn * static_cast<double>(std::max(window, Nanoseconds{0}).count()))};
  return std::max(kShortestTurn, needed);
}

ReplaySchedule schedule_replay(std::span<const double> weights, Nanoseconds budget,
                               Nanoseconds window) {
  ReplaySchedule schedule;
  if (weights.empty()) {
    return schedule;
  }
  budget = std::max(budget, Nanoseconds{0});
  const Nanoseconds shortest = shortest_turn(window);
  const auto fitting = static_cast<std::size_t>(budget / shortest);
  std::vector<std::uint32_t> order = heaviest(weights, std::max<std::size_t>(fitting, 1));
  schedule.rounds = std::clamp<std::size_t>(fitting / order.size(), 1, kMostRounds);
  const auto turns = static_cast<Nanoseconds::rep>(order.size() * schedule.rounds);
  const Nanoseconds length = std::max(shortest, budget / turns);

  std::mt19937 random(1);  // the standard fixes its numbers, though not those of its distributions
  for (std::size_t round = 0; round < schedule.rounds; ++round) {
    for (std::size_t left = order.size(); left > 1; --left) {
      std::swap(order[left - 1], order[random() % left]);
    }
    for (const std::uint32_t work : order) {
      schedule.turns.push_back({.work = work, .length = length});
    }
  }
  return schedule;
}

}  // namespace enprof
