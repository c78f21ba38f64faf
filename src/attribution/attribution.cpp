#include "attribution/attribution.hpp"

#include "attribution/class_power_fit.hpp"
#include "attribution/outside_power.hpp"
#include "attribution/segment_walk.hpp"
#include "attribution/span_tiling.hpp"
#include "attribution/window_errors.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace enprof {
namespace {

/// The most blocks of windows whose residuals are used: enough to estimate their correlation.
constexpr std::size_t kMostBlocks = 4096;

double square(double value) { return value * value; }

Nanoseconds nanoseconds(double time_s) { return Nanoseconds{std::llround(time_s * 1e9)}; }

/// The time of each class in a window.
class Mix {
 public:
  explicit Mix(std::size_t classes) : time_s_(classes) {}

  void clear() {
    for (const std::uint32_t work : works_) {
      time_s_[work] = 0.0;
    }
    works_.clear();
  }
  void add(std::uint32_t work, double time_s) {
    if (time_s_[work] == 0.0) {
      works_.push_back(work);
    }
    time_s_[work] += time_s;
  }
  /// The classes that ran in it.
  [[nodiscard]] std::span<const std::uint32_t> works() const { return works_; }
  [[nodiscard]] double time_s(std::uint32_t work) const { return time_s_[work]; }

 private:
  std::vector<double> time_s_;
  std::vector<std::uint32_t> works_;
};

/// Computes the spans' shares of one timeline.
class TimelineShares {
 public:
  TimelineShares(const EnergyTimeline& timeline, const SpanTiling& tiling, std::size_t classes,
                 const AttributionOptions& options, std::optional<Watts> idle,
                 std::vector<std::optional<PriorPower>> priors)
      : timeline_(timeline),
        tiling_(tiling),
        options_(options),
        idle_(idle),
        priors_(std::move(priors)),
        classes_(classes),
        errors_(timeline, tiling.tiles.empty() ? Instant{} : tiling.tiles.front().begin),
        mix_(classes_),
        part_(classes_),
        response_(classes_) {}

  ClassPowers find_powers();
  /// Sets the shares and own energies of all spans, and collects those of the groups.
  void share_out(const ClassPowers& powers, std::span<EnergyShare> shares, std::span<Joules> self,
                 std::size_t stride);
  /// Call after share_out. Writes the groups' shares, `stride` apart.
  void write_groups(std::size_t grouping, std::span<EnergyShare> groups, std::size_t stride) const;

 private:
  struct Open {
    std::uint32_t span;
    SpanTiling::Range range;
    WindowErrors errors;
    double variance = 0.0;
  };
  struct Group {
    EnergyShare share;
    WindowErrors errors;
    // Sums over the present segment of the parts w that it has of pieces with the energies x, in J.
    double weight = 0.0;         // w x
    double weight_again = 0.0;   // w² x
    double squares = 0.0;        // w x²
    double squares_again = 0.0;  // w² x²
    double time_s = 0.0;         // w × time
  };
  struct Grouping {
    std::vector<Group> groups;
    std::vector<double> gradient;  // groups × classes, J/W
    std::vector<std::uint32_t> present;
  };
  /// Sums over the present segment.
  struct Present {
    double factor = 0.0;    // energy over Σ power × time
    double expected = 0.0;  // Σ power × time
    double power = 0.0;
    double squares = 0.0;        // Σ (power × time)² of its pieces
    double whole_noise = 0.0;    // J²: see WindowNoise
    double piece_noise = 0.0;    // and over the square of a piece's power × time
    double own_response = 0.0;   // Tᵀ V T
    double outside_noise = 0.0;  // variance of what is outside, over the square of the inside
    WindowEdges window;
    bool mixed = false;     // more than one class: their powers matter
    double inside_w = 0.0;  // mean power of the classes
    double evenness = 0.0;  // 0: each class has its own power; 1: all have inside_w
  };

  [[nodiscard]] double highest_power() const;
  void even_out(double inside, double inside_s);
  /// A class's power in the present segment, before it is scaled to the segment's energy.
  [[nodiscard]] double watts(std::uint32_t work) const {
    return powers_->watts[work] + now_.evenness * (now_.inside_w - powers_->watts[work]);
  }
  void fill_mix(const SegmentMix& segment);
  void enter_segment(const SegmentMix& segment);
  [[nodiscard]] double unseen_variance(const SegmentMix& segment) const;
  void split_off_outside(const SegmentMix& segment, double inside, double inside_s, double unseen);
  void share_tiles(const SegmentMix& segment, std::span<EnergyShare> shares, std::span<Joules> self,
                   std::size_t stride);
  void add_variances(const SegmentMix& segment, std::span<EnergyShare> shares, std::size_t stride);
  void add_to_groups(const SegmentMix& segment);
  [[nodiscard]] double course_variance(double part, double squares) const;
  [[nodiscard]] double course_variance(const Group& group, double part) const;
  void add_to_group(Grouping& grouping, std::uint32_t index, double part, double time_s,
                    std::size_t piece, std::uint32_t work);
  [[nodiscard]] double model_variance(const SegmentMix& segment, std::size_t from, std::size_t to,
                                      double part);
  [[nodiscard]] double covariance(std::uint32_t a, std::uint32_t b) const {
    return powers_->covariance(a, b);
  }
  [[nodiscard]] std::uint32_t work(std::size_t tile) const { return tiling_.tiles[tile].work; }
  [[nodiscard]] std::uint32_t span(std::size_t tile) const { return tiling_.tiles[tile].span; }

  const EnergyTimeline& timeline_;
  const SpanTiling& tiling_;
  const AttributionOptions& options_;
  std::optional<Watts> idle_;
  std::vector<std::optional<PriorPower>> priors_;  // by kind of work; empty: no calibration
  OutsidePowers outside_;
  double highest_w_ = 0.0;  // of the segments that lie within the spans; 0: there is none
  std::size_t classes_;
  WindowErrorModel errors_;
  const ClassPowers* powers_ = nullptr;
  bool known_ = false;  // whether there is a covariance

  Mix mix_;                       // of the present segment
  Mix part_;                      // of an interval within the segment
  std::vector<double> response_;  // V T, of the classes in the mix
  Present now_;
  std::vector<double> weights_;  // J: power × time before each tile of the segment, and after all
  std::vector<double> squares_;  // and the sum of its square
  std::vector<Open> open_;
  std::size_t next_ = 0;  // position of the next span to open
  std::vector<Grouping> groupings_;
};

void TimelineShares::fill_mix(const SegmentMix& segment) {
  mix_.clear();
  for (std::size_t i = 0; i < segment.times_s.size(); ++i) {
    if (span(segment.first + i) != SpanTiling::kNoSpan) {
      mix_.add(work(segment.first + i), segment.times_s[i]);
    }
  }
}

/// The highest power of the windows that lie within the spans; 0 if there is none.
double TimelineShares::highest_power() const {
  const Instant begin = tiling_.tiles.front().begin;
  const Instant end = tiling_.tiles.back().begin;
  const std::size_t last = timeline_.segment_at(end);
  double highest = 0.0;
  for (std::size_t at = timeline_.segment_at(begin); at <= last; ++at) {
    const EnergyTimeline::Segment segment = timeline_.segment(at);
    if (segment.covered && segment.begin >= begin && segment.end <= end) {
      highest = std::max(highest, segment.energy.value() / quick_seconds(segment.length()));
    }
  }
  return highest;
}

ClassPowers TimelineShares::find_powers() {
  const Instant begin = tiling_.tiles.front().begin;
  const Instant end = tiling_.tiles.back().begin;
  const EnergyShare whole = timeline_.share(begin, end);
  const double mean_w =
      whole.covered > Nanoseconds{0} ? (whole.energy / whole.covered).value() : 0.0;
  const WindowNoise noise{.mean_w = mean_w,
                          .stamp_variance = 2.0 * square(mean_w * errors_.stamp_s)};
  if (!(mean_w > 0.0) || options_.by_time_alone) {
    // The energy is zero or negative: all powers are assumed equal.
    return {.watts = std::vector<double>(classes_, 1.0), .noise = noise};
  }

  outside_ = OutsidePowers(timeline_, begin, end, idle_, Watts{mean_w});
  highest_w_ = highest_power();
  // Uses the windows that are fully covered by work. A partly covered one is used if the power of
  // the rest was measured, and if the window's own energy is that of its time: not if its edges are
  // uncertain by a good part of it, or if the sensor may have seen only the rest.
  const bool is_exact = errors_.unseen == 0.0 && errors_.step_s == 0.0;
  const auto is_row = [&](const SegmentMix& segment) {
    return segment.outside_s == 0.0 || (is_exact && segment.outside_s < 0.9 * segment.length_s() &&
                                        outside_.energy(segment.segment).is_measured);
  };
  const std::size_t windows = timeline_.segment_at(end) - timeline_.segment_at(begin);  // or so
  // Where readings are free, what ran in no row ran for less than a window, beside the outside: it
  // drew something between the power there and the run's mean.
  const double rest_w = errors_.step_s > 0.0 ? (mean_w + outside_.mean().value()) / 2.0 : mean_w;
  ClassPowerFit fit(classes_, windows, noise, Watts{rest_w}, priors_);
  std::vector<ClassPowerFit::Part> parts;
  const double per_run = 1.0 / seconds(end - begin);
  const auto row = [&](const SegmentMix& segment) {
    fill_mix(segment);
    parts.clear();
    for (const std::uint32_t work : mix_.works()) {
      parts.push_back({work, mix_.time_s(work)});
    }
    double squares_s2 = square(segment.outside_s);
    for (const double time_s : segment.times_s) {
      squares_s2 += square(time_s);
    }
    return ClassPowerFit::Row{
        .parts = parts,
        .energy_j = segment.segment.energy.value() - outside_.energy(segment.segment).joules,
        .length_s = segment.length_s(),
        .squares_s2 = squares_s2,
        .at = quick_seconds(segment.segment.begin - begin) * per_run};
  };
  walk_segments(timeline_, tiling_, [&](const SegmentMix& segment) {
    if (is_row(segment)) {
      fit.add(row(segment));
    }
  });
  fit.solve();
  const std::size_t block = fit.block_size();
  const std::size_t stride = 1 + windows / (block * kMostBlocks);
  std::size_t seen = 0;
  walk_segments(timeline_, tiling_, [&](const SegmentMix& segment) {
    if (is_row(segment) && seen++ / block % stride == 0) {
      fit.check(row(segment));
    }
  });
  return fit.result();
}

void TimelineShares::share_out(const ClassPowers& powers, std::span<EnergyShare> shares,
                               std::span<Joules> self, std::size_t stride) {
  powers_ = &powers;
  known_ = powers.has_covariance();
  for (const SpanGroups& groups : options_.groupings) {
    groupings_.push_back({.groups = std::vector<Group>(groups.count)});
    if (known_) {
      groupings_.back().gradient.resize(groups.count * classes_);
    }
  }
  walk_segments(timeline_, tiling_, [&](const SegmentMix& segment) {
    enter_segment(segment);
    share_tiles(segment, shares, self, stride);
    add_variances(segment, shares, stride);
    add_to_groups(segment);
  });
  for (const Open& open : open_) {  // their last window is the timeline's last
    shares[open.span * stride].variance = open.variance + open.errors.variance(errors_);
  }
}

void TimelineShares::enter_segment(const SegmentMix& segment) {
  fill_mix(segment);
  const double energy = segment.segment.energy.value();
  double inside = 0.0;
  double inside_s = 0.0;
  for (const std::uint32_t work : mix_.works()) {
    inside += powers_->watts[work] * mix_.time_s(work);
    inside_s += mix_.time_s(work);
  }
  const double length_s = segment.length_s();
  const double outside_w = inside_s > 0.0 ? inside / inside_s : 1.0;
  now_ = {};
  now_.expected = inside + outside_w * segment.outside_s;
  now_.factor = energy / now_.expected;
  now_.power = energy / length_s;
  now_.mixed = known_ && (mix_.works().size() > 1 || segment.outside_s > 0.0);
  if (now_.mixed) {
    for (const std::uint32_t a : mix_.works()) {
      double sum = 0.0;
      for (const std::uint32_t b : mix_.works()) {
        sum += covariance(a, b) * mix_.time_s(b);
      }
      response_[a] = sum;
      now_.own_response += sum * mix_.time_s(a);
    }
  }
  now_.window = {.index = segment.index,
                 .power = now_.power,
                 .begin = errors_.phase(segment.segment.begin),
                 .end = errors_.phase(segment.segment.end)};
  const double unseen = errors_.unseen > 0.0 ? unseen_variance(segment) : 0.0;
  if (known_ && segment.outside_s > 0.0 && inside > 0.0 && energy > 0.0) {
    split_off_outside(segment, inside, inside_s, unseen);
  } else {
    now_.window.unseen_j = std::sqrt(unseen);
  }
  const double scale = powers_->noise.scale;
  now_.whole_noise = scale * square(WindowNoise::kWholeSpread * energy);
  now_.piece_noise = scale * square(WindowNoise::kPieceSpread * now_.factor);
  weights_.assign(1, 0.0);
  squares_.assign(1, 0.0);
  for (std::size_t i = 0; i < segment.times_s.size(); ++i) {
    const std::size_t tile = segment.first + i;
    const double power = span(tile) == SpanTiling::kNoSpan ? outside_w : watts(work(tile));
    weights_.push_back(weights_.back() + power * segment.times_s[i]);
    squares_.push_back(squares_.back() + square(power * segment.times_s[i]));
  }
  now_.squares = squares_.back() + square(now_.expected - weights_.back());
}

/// The variance of a window's energy because its sensor did not see a part of its time.
double TimelineShares::unseen_variance(const SegmentMix& segment) const {
  UnseenTime pieces;
  const double scale_w = known_ ? 1.0 : now_.factor;
  for (std::size_t i = 0; i < segment.times_s.size(); ++i) {
    const std::size_t tile = segment.first + i;
    if (span(tile) != SpanTiling::kNoSpan) {
      pieces.add(scale_w * powers_->watts[work(tile)], segment.times_s[i]);
    }
  }
  if (segment.outside_s > 0.0) {
    const double outside_j = known_ ? outside_.energy(segment.segment).joules : 0.0;
    const bool is_told = outside_j > 0.0;  // else it lies between spans, or is not known
    pieces.add(is_told ? outside_j / segment.outside_s : now_.power, segment.outside_s);
  }
  return pieces.variance(*powers_, errors_.unseen);
}

/// Divides the energy of a window that is partly outside the spans. What is inside and outside have
/// each an expected energy and an error, and must add up to what was measured: the more uncertain
/// one takes the more of the difference, and nobody what is the window's own error. Never gives the
/// inside more than the window has; nor more power than any window that lies within the spans, or
/// than this one, unless there is none within the spans and the power outside was measured. What
/// that takes away is part of the error.
void TimelineShares::split_off_outside(const SegmentMix& segment, double inside, double inside_s,
                                       double unseen) {
  const double energy = segment.segment.energy.value();
  const OutsidePowers::Energy outside = outside_.energy(segment.segment);
  // A late edge moves energy between the windows beside it. What the inner edge moves is missing
  // or too much in the next window, and so belongs inside; what the outer edge moves, or the sensor
  // did not see, does not.
  const double edge_j = errors_.stamp_s * inside / inside_s;
  const double outer_edge_j = errors_.stamp_s * outside.joules / segment.outside_s;
  const double inside_variance = now_.own_response + square(edge_j) +
                                 square(WindowNoise::kPieceSpread * inside) * powers_->noise.scale;
  const double all = inside_variance + outside.variance + square(outer_edge_j) + unseen;
  // Without windows to learn them from, the classes' powers are this window's own mean.
  const double weight = all > 0.0 && powers_->windows > 0 ? inside_variance / all : 1.0;
  double joules = inside + (energy - outside.joules - inside) * weight;
  const double highest = highest_w_ > 0.0 || !outside.is_measured
                             ? std::max(highest_w_, now_.power) * inside_s
                             : energy;
  constexpr double kLeastShare = 1e-6;
  const double expected = joules;
  joules = std::clamp(joules, kLeastShare * energy, std::min(highest, energy));
  now_.factor = joules / inside;
  now_.expected = energy / now_.factor;
  now_.outside_noise =
      (square(weight) * (outside.variance + unseen) +
       square(1.0 - weight) * (inside_variance - square(edge_j)) + square(expected - joules)) /
      square(inside);
  if (highest_w_ > 0.0) {
    even_out(inside, inside_s);
  }
}

/// Moves the classes' powers towards their mean, so far that none draws more here than the highest
/// window within the spans, or than this one.
void TimelineShares::even_out(double inside, double inside_s) {
  now_.inside_w = inside / inside_s;
  double most = 0.0;
  for (const std::uint32_t work : mix_.works()) {
    most = std::max(most, powers_->watts[work]);
  }
  const double cap = std::max(highest_w_, now_.power) / now_.factor;
  if (most > cap && most > now_.inside_w) {
    now_.evenness = std::clamp((most - cap) / (most - now_.inside_w), 0.0, 1.0);
  }
}

/// The variance because the distribution of a window's energy over its pieces is unknown. The share
/// has `part` of it, and the sum of its pieces' squared energies is `squares`.
double TimelineShares::course_variance(double part, double squares) const {
  const double others = std::max(0.0, now_.squares - squares);
  return now_.piece_noise * (square(1.0 - part) * squares + square(part) * others) +
         now_.whole_noise * std::max(0.0, part * (1.0 - part));
}

/// The same for a group that has parts of pieces.
double TimelineShares::course_variance(const Group& group, double part) const {
  const double of_pieces =
      group.squares_again - 2.0 * part * group.squares + square(part) * now_.squares;
  const double of_window = group.weight_again / now_.expected - square(part);
  return now_.piece_noise * std::max(0.0, of_pieces) + now_.whole_noise * std::max(0.0, of_window);
}

void TimelineShares::share_tiles(const SegmentMix& segment, std::span<EnergyShare> shares,
                                 std::span<Joules> self, std::size_t stride) {
  const double windows_per_s = segment.segment.windows / segment.length_s();
  for (std::size_t i = 0; i < segment.times_s.size(); ++i) {
    const std::size_t tile = segment.first + i;
    if (span(tile) == SpanTiling::kNoSpan) {
      continue;
    }
    const double time_s = segment.times_s[i];
    const Joules energy{now_.factor * watts(work(tile)) * time_s};
    const std::size_t at = span(tile) * stride;
    self[at] += energy;
    EnergyShare& share = shares[at];
    share.energy += energy;
    share.covered += nanoseconds(time_s);
    share.windows += windows_per_s * time_s;
  }
}

/// gᵀ V g for the tiles [from, to) of the segment, which have `part` of its energy.
double TimelineShares::model_variance(const SegmentMix& segment, std::size_t from, std::size_t to,
                                      double part) {
  double own = 0.0;
  double cross = 0.0;
  if (to == from + 1) {
    if (span(segment.first + from) == SpanTiling::kNoSpan) {
      return 0.0;
    }
    const std::uint32_t only = work(segment.first + from);
    own = covariance(only, only) * square(segment.times_s[from]);
    cross = response_[only] * segment.times_s[from];
  } else {
    part_.clear();
    for (std::size_t i = from; i < to; ++i) {
      if (span(segment.first + i) != SpanTiling::kNoSpan) {
        part_.add(work(segment.first + i), segment.times_s[i]);
      }
    }
    for (const std::uint32_t a : part_.works()) {
      cross += response_[a] * part_.time_s(a);
      for (const std::uint32_t b : part_.works()) {
        own += covariance(a, b) * part_.time_s(a) * part_.time_s(b);
      }
    }
  }
  return std::max(
      0.0, square(now_.factor) * (own - 2.0 * part * cross + square(part) * now_.own_response));
}

void TimelineShares::add_variances(const SegmentMix& segment, std::span<EnergyShare> shares,
                                   std::size_t stride) {
  const auto first = static_cast<std::uint32_t>(segment.first);
  const auto count = static_cast<std::uint32_t>(segment.times_s.size());
  const std::uint32_t last = first + count - 1;
  const std::size_t spans = tiling_.ranges.size();
  while (next_ < spans) {
    const auto index = static_cast<std::uint32_t>(tiling_.span_at(next_));
    const SpanTiling::Range range = tiling_.ranges[index];
    if (range.begin > last) {
      break;
    }
    if (range.end > first) {  // else its time is zero, or not covered by a window
      open_.push_back({.span = index, .range = range, .errors = {}});
    }
    ++next_;
  }
  std::size_t kept = 0;
  for (Open& open : open_) {
    if (open.range.end > first) {
      const std::uint32_t from = std::max(open.range.begin, first) - first;
      const std::uint32_t to = std::min(open.range.end, last + 1) - first;
      const bool whole = from == 0 && to == count && segment.outside_s == 0.0;
      const double part = whole ? 1.0 : (weights_[to] - weights_[from]) / now_.expected;
      open.errors.enter(errors_, now_.window, part);
      if (!whole) {
        open.variance += course_variance(part, squares_[to] - squares_[from]) +
                         now_.outside_noise * square(weights_[to] - weights_[from]);
        if (now_.mixed) {
          open.variance += model_variance(segment, from, to, part);
        }
      }
    }
    const bool closes = open.range.end <= last || (open.range.end == last + 1 && segment.last_ends);
    if (closes) {
      shares[open.span * stride].variance = open.variance + open.errors.variance(errors_);
    } else {
      open_[kept++] = open;
    }
  }
  open_.resize(kept);
}

/// Adds a part of a piece of the present segment.
void TimelineShares::add_to_group(Grouping& grouping, std::uint32_t index, double part,
                                  double time_s, std::size_t piece, std::uint32_t work) {
  Group& group = grouping.groups[index];
  if (group.time_s == 0.0) {
    grouping.present.push_back(index);
  }
  const double energy = part * (weights_[piece + 1] - weights_[piece]);
  const double square_energy = part * (squares_[piece + 1] - squares_[piece]);
  group.weight += energy;
  group.weight_again += part * energy;
  group.squares += square_energy;
  group.squares_again += part * square_energy;
  group.time_s += part * time_s;
  if (now_.mixed) {
    grouping.gradient[index * classes_ + work] += now_.factor * part * time_s;
  }
}

void TimelineShares::add_to_groups(const SegmentMix& segment) {
  const double windows_per_s = segment.segment.windows / segment.length_s();
  for (std::size_t g = 0; g < groupings_.size(); ++g) {
    Grouping& grouping = groupings_[g];
    const SpanGroups& of = options_.groupings[g];
    grouping.present.clear();
    for (std::size_t i = 0; i < segment.times_s.size(); ++i) {
      const std::size_t tile = segment.first + i;
      const std::uint32_t owner = span(tile);
      if (owner == SpanTiling::kNoSpan || owner >= of.of_span.size()) {
        continue;
      }
      const std::uint32_t place = of.of_span[owner];
      if (place >= (of.divisions == nullptr ? of.count : of.divisions->rows())) {
        continue;
      }
      if (of.divisions == nullptr) {
        add_to_group(grouping, place, 1.0, segment.times_s[i], i, work(tile));
        continue;
      }
      for (const SpanDivisions::Part& part : of.divisions->row(place)) {
        if (part.group >= of.count) {
          continue;
        }
        add_to_group(grouping, part.group, part.weight, segment.times_s[i], i, work(tile));
      }
    }
    for (const std::uint32_t index : grouping.present) {
      Group& group = grouping.groups[index];
      const double part = group.weight / now_.expected;
      group.share.energy += Joules{now_.factor * group.weight};
      group.share.covered += nanoseconds(group.time_s);
      group.share.windows += windows_per_s * group.time_s;
      group.share.variance +=
          course_variance(group, part) + now_.outside_noise * square(group.weight);
      group.errors.enter(errors_, now_.window, part);
      if (now_.mixed) {
        for (const std::uint32_t work : mix_.works()) {
          grouping.gradient[index * classes_ + work] -= now_.factor * part * mix_.time_s(work);
        }
      }
      group.weight = group.weight_again = 0.0;
      group.squares = group.squares_again = 0.0;
      group.time_s = 0.0;
    }
  }
}

void TimelineShares::write_groups(std::size_t grouping, std::span<EnergyShare> groups,
                                  std::size_t stride) const {
  const Grouping& from = groupings_[grouping];
  for (std::size_t index = 0; index < from.groups.size(); ++index) {
    const Group& group = from.groups[index];
    EnergyShare share = group.share;
    share.variance += group.share.covered > Nanoseconds{0} ? group.errors.variance(errors_) : 0.0;
    if (known_) {
      const std::span gradient = std::span(from.gradient).subspan(index * classes_, classes_);
      double variance = 0.0;
      for (std::uint32_t a = 0; a < classes_; ++a) {
        for (std::uint32_t b = 0; b < classes_; ++b) {
          variance += gradient[a] * gradient[b] * covariance(a, b);
        }
      }
      share.variance += std::max(0.0, variance);
    }
    groups[index * stride] = share;
  }
}

/// Work of one class, however long it is, has the class's prior.
std::vector<std::optional<PriorPower>> priors_of_work(
    const std::vector<std::optional<PriorPower>>& by_class,
    std::span<const std::uint32_t> class_of) {
  std::vector<std::optional<PriorPower>> result(class_of.size());
  for (std::size_t work = 0; work < class_of.size(); ++work) {
    const std::uint32_t given = class_of[work];
    if (given < by_class.size() && by_class[given]) {
      result[work] = by_class[given];
      result[work]->group = given;
    }
  }
  return result;
}

}  // namespace

/// Builds an Attribution.
class AttributionBuilder {
 public:
  static Attribution build(std::span<const Span> spans, std::span<const EnergyTimeline> timelines,
                           const AttributionOptions& options) {
    Attribution result(spans.size(), timelines.size());
    SpanTiling tiling = tile(spans);
    const std::size_t classes = assign_work(spans, options.classes, tiling);
    result.mended_ = tiling.mended;
    const std::vector<std::uint32_t> class_of =
        options.priors.empty() ? std::vector<std::uint32_t>{}
                               : classes_of_work(spans, options.classes, tiling, classes);
    for (const SpanGroups& groups : options.groupings) {
      result.groups_.emplace_back(groups.count * timelines.size());
    }
    for (std::size_t line = 0; line < timelines.size(); ++line) {
      const auto idle = line < options.idle_power.size() ? options.idle_power[line] : std::nullopt;
      TimelineShares shares(timelines[line], tiling, classes, options, idle,
                            line < options.priors.size()
                                ? priors_of_work(options.priors[line], class_of)
                                : std::vector<std::optional<PriorPower>>{});
      result.powers_.push_back(shares.find_powers());
      shares.share_out(result.powers_.back(), std::span(result.shares_).subspan(line),
                       std::span(result.self_).subspan(line), timelines.size());
      for (std::size_t g = 0; g < result.groups_.size(); ++g) {
        shares.write_groups(g, std::span(result.groups_[g]).subspan(line), timelines.size());
      }
    }
    add_children(spans, result);
    return result;
  }

 private:
  static void add_children(std::span<const Span> spans, Attribution& result) {
    const std::size_t lines = result.timelines_;
    for (std::size_t index = spans.size(); index-- > 0;) {
      const std::uint32_t parent = parent_of(spans, index);
      if (parent == SpanTiling::kNoSpan) {
        continue;
      }
      for (std::size_t line = 0; line < lines; ++line) {
        const EnergyShare& child = result.shares_[index * lines + line];
        EnergyShare& share = result.shares_[parent * lines + line];
        share.energy += child.energy;
        share.covered += child.covered;
        share.windows += child.windows;
      }
    }
  }
};

Attribution attribute(std::span<const Span> spans, std::span<const EnergyTimeline> timelines,
                      const AttributionOptions& options) {
  return AttributionBuilder::build(spans, timelines, options);
}

}  // namespace enprof
