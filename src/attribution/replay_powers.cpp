#include "attribution/replay_powers.hpp"

#include "attribution/segment_walk.hpp"

#include <Eigen/QR>

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

/// Of a relative power where nothing shows it: a single turn of a single window.
constexpr double kUnknownSpread = 0.2;

double square(double value) { return value * value; }

/// What the windows within one turn of a class show.
struct Turn {
  std::uint32_t work = 0;
  double at = 0.0;  ///< 0–1: its middle, in the time of the replay
  double joules = 0.0;
  double time_s = 0.0;
  double squares = 0.0;  // Σ power² × time
  std::size_t windows = 0;

  [[nodiscard]] double watts() const { return joules / time_s; }
  /// Of the windows' powers, around the turn's: Σ (deviation / power)² × windows.
  [[nodiscard]] double spread() const {
    const double relative = squares / time_s / square(watts()) - 1.0;
    return std::max(0.0, relative) * static_cast<double>(windows);
  }
};

/// Turns without a whole window, or without energy, are left out.
std::vector<Turn> turns_of(const EnergyTimeline& timeline, std::span<const ReplaySlice> slices) {
  std::vector<Turn> turns;
  const double all_s = quick_seconds(slices.back().end - slices.front().begin);
  std::size_t at = timeline.segment_at(slices.front().begin);
  for (const ReplaySlice& slice : slices) {
    const Instant middle = slice.begin + (slice.end - slice.begin) / 2;
    Turn turn{.work = slice.work, .at = quick_seconds(middle - slices.front().begin) / all_s};
    for (; at < timeline.segment_count() && timeline.segment(at).end <= slice.end; ++at) {
      const EnergyTimeline::Segment segment = timeline.segment(at);
      // The begin of a window may be later than its time stamp says.
      if (segment.covered && segment.begin >= slice.begin + timeline.stamp_error()) {
        const double length_s = quick_seconds(segment.length());
        turn.joules += segment.energy.value();
        turn.time_s += length_s;
        turn.squares += square(segment.energy.value()) / length_s;
        ++turn.windows;
      }
    }
    if (turn.joules > 0.0) {
      turns.push_back(turn);
    }
  }
  return turns;
}

/// ln power = class + drift: drift is linear between knots at the borders of rounds, and zero in
/// the mean. One row a turn, weighted by the square root of its windows.
Eigen::MatrixXd design(const std::vector<Turn>& turns, const std::vector<std::size_t>& column,
                       std::size_t classes, std::size_t rounds) {
  const auto rows = static_cast<Eigen::Index>(turns.size());
  const auto first_knot = static_cast<Eigen::Index>(classes);
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(
      rows, first_knot + (rounds > 1 ? static_cast<Eigen::Index>(rounds) + 1 : 0));
  for (Eigen::Index row = 0; row < rows; ++row) {
    const Turn& turn = turns[static_cast<std::size_t>(row)];
    matrix(row, static_cast<Eigen::Index>(column[turn.work])) = 1.0;
    if (rounds > 1) {
      const double place = turn.at * static_cast<double>(rounds);
      const double knot = std::min(std::floor(place), static_cast<double>(rounds - 1));
      const auto left = first_knot + static_cast<Eigen::Index>(knot);
      matrix(row, left) = 1.0 - (place - knot);
      matrix(row, left + 1) = place - knot;
    }
  }
  for (Eigen::Index knot = first_knot; knot < matrix.cols(); ++knot) {
    matrix.col(knot).array() -= matrix.col(knot).mean();
  }
  return matrix;
}

/// The relative spread of the windows within turns, squared: what is known of the error where turns
/// are too few to tell it by their own spread.
double window_variance(const std::vector<Turn>& turns) {
  double squares = 0.0;
  std::size_t windows = 0;
  for (const Turn& turn : turns) {
    squares += turn.spread();
    windows += turn.windows - 1;
  }
  return windows > 0 ? squares / static_cast<double>(windows) : square(kUnknownSpread);
}

}  // namespace

std::vector<std::optional<ReplayedPower>> powers_of_replay(const EnergyTimeline& timeline,
                                                           std::span<const ReplaySlice> slices,
                                                           std::size_t classes) {
  std::vector<std::optional<ReplayedPower>> result(classes);
  if (timeline.segment_count() == 0 || slices.empty()) {
    return result;
  }
  const std::vector<Turn> turns = turns_of(timeline, slices);
  std::vector<std::size_t> column(classes);
  std::vector<std::uint32_t> measured;  // classes
  std::vector<std::size_t> windows(classes);
  std::vector<std::size_t> count(classes);
  std::size_t rounds = turns.size();
  for (const Turn& turn : turns) {
    if (count[turn.work]++ == 0) {
      column[turn.work] = measured.size();
      measured.push_back(turn.work);
    }
    windows[turn.work] += turn.windows;
  }
  if (measured.empty()) {
    return result;
  }
  for (const std::uint32_t work : measured) {
    rounds = std::min(rounds, count[work]);
  }
  Eigen::MatrixXd matrix = design(turns, column, measured.size(), rounds);
  Eigen::VectorXd logs(matrix.rows());
  for (Eigen::Index row = 0; row < matrix.rows(); ++row) {
    const Turn& turn = turns[static_cast<std::size_t>(row)];
    const double weight = std::sqrt(static_cast<double>(turn.windows));
    logs(row) = std::log(turn.watts()) * weight;
    matrix.row(row) *= weight;
  }
  const Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> solver(matrix);
  const Eigen::VectorXd found = solver.solve(logs);
  // Student's t: with few degrees of freedom, the variance may be far from the residuals'.
  const Eigen::Index freedom = matrix.rows() - solver.rank();
  const double residual = (logs - matrix * found).squaredNorm();
  const double variance = freedom > 2 ? residual / static_cast<double>(freedom - 2)
                                      : std::max(window_variance(turns), residual);
  const Eigen::MatrixXd inverse = solver.pseudoInverse();
  const auto size = static_cast<Eigen::Index>(measured.size());
  Eigen::MatrixXd covariance = inverse.topRows(size) * inverse.topRows(size).transpose() * variance;
  // What all classes have in common is of no use to a run, and not in the error: see PriorPower.
  const Eigen::VectorXd with_mean = covariance.rowwise().mean();
  const double of_mean = with_mean.mean();
  for (Eigen::Index place = 0; place < size; ++place) {
    const std::uint32_t work = measured[static_cast<std::size_t>(place)];
    result[work] = {.watts = std::exp(found(place)),
                    .deviation = std::sqrt(
                        std::max(0.0, covariance(place, place) - 2.0 * with_mean(place) + of_mean)),
                    .windows = windows[work]};
  }
  return result;
}

}  // namespace enprof
