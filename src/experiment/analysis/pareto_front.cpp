#include "experiment/analysis/pareto_front.hpp"

#include "experiment/measure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

/// What a comparison says of B against A in one measure.
struct Advantage {
  double change = 0.0;  // above 0: B is better
  bool is_sure = false;
};

std::optional<Advantage> advantage_of(const Comparison& comparison, std::string_view key) {
  const MeasureChange& change = comparison.of(*find_measure(key));
  if (!change.change) {
    return std::nullopt;
  }
  const double sign = change.measure->better == Better::less ? -1.0 : 1.0;
  // One run on a side says nothing about the spread.
  const bool has_spread = change.basis == Basis::rounds || change.basis == Basis::repeats;
  return Advantage{.change = sign * *change.change,
                   .is_sure = has_spread && change.half && std::abs(*change.change) > *change.half};
}

/// How A stands against B: dominated, maybe, or not.
ParetoState state_against(const Comparison& comparison) {
  const auto energy = advantage_of(comparison, kOutputTokenMeasure);
  const auto speed = advantage_of(comparison, kDecodeSpeedMeasure);
  const bool is_worse = energy && speed && energy->change >= 0.0 && speed->change >= 0.0 &&
                        (energy->change > 0.0 || speed->change > 0.0);
  if (!is_worse) {
    return ParetoState::front;
  }
  return energy->is_sure && speed->is_sure ? ParetoState::dominated : ParetoState::undecided;
}

/// Those whose means are at least as good in both, the farthest first: if one of them beats the
/// point beyond doubt, it is among the first.
std::vector<std::size_t> rivals_of(std::size_t mine, const std::vector<ParetoPoint>& points,
                                   const ExperimentData& data) {
  constexpr std::size_t kMost = 16;  // of a thousand points, all pairs would take minutes
  const PointData& a = data.points[points[mine].point];
  std::vector<std::pair<double, std::size_t>> rivals;
  for (std::size_t other = 0; other < points.size(); ++other) {
    const PointData& b = data.points[points[other].point];
    const double energy = a.output_energy->value / b.output_energy->value;
    const double speed = b.output_speed->value / a.output_speed->value;
    if (other != mine && energy >= 1.0 && speed >= 1.0) {
      rivals.emplace_back(-energy * speed, other);
    }
  }
  std::ranges::sort(rivals);
  rivals.resize(std::min(rivals.size(), kMost));
  std::vector<std::size_t> result;
  result.reserve(rivals.size());
  for (const auto& [distance, other] : rivals) {
    result.push_back(other);
  }
  return result;
}

}  // namespace

std::string_view to_string(ParetoState state) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"front", "undecided", "dominated"};
  const auto index = static_cast<std::size_t>(state);
  return index < kNames.size() ? kNames[index] : "unknown";
}

ParetoFront pareto_front(const ExperimentData& data) {
  ParetoFront front;
  std::vector<RunSet> sets;
  for (std::size_t index = 0; index < data.points.size(); ++index) {
    const PointData& point = data.points[index];
    if (!point.output_energy || !point.output_speed) {
      front.left_out.push_back(index);
      continue;
    }
    front.points.push_back({.point = index});
    front.lacks_repeats = front.lacks_repeats || !point.output_energy->error;
  }
  std::ranges::sort(front.points, {}, [&](const ParetoPoint& each) {
    return data.points[each.point].output_energy->value;
  });
  sets.reserve(front.points.size());
  for (const ParetoPoint& each : front.points) {
    sets.push_back(data.points[each.point].run_set());
  }
  const auto count = static_cast<double>(front.points.size());
  const double pairs = std::max(1.0, count * (count - 1.0) / 2.0);
  front.confidence = 1.0 - (1.0 - kUsualConfidence) / pairs;
  const CompareOptions options{.confidence = front.confidence};
  for (std::size_t mine = 0; mine < front.points.size(); ++mine) {
    ParetoPoint& point = front.points[mine];
    for (const std::size_t other : rivals_of(mine, front.points, data)) {
      const ParetoState state = state_against(compare_sets(sets[mine], sets[other], options));
      if (state == ParetoState::front || state < point.state) {
        continue;
      }
      if (state > point.state) {
        point.state = state;
        point.by.clear();
      }
      point.by.push_back(front.points[other].point);
    }
  }
  return front;
}

}  // namespace enprof
