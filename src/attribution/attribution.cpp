#include "attribution/attribution.hpp"

#include "attribution/class_power_fit.hpp"
#include "attribution/segment_walk.hpp"
#include "attribution/span_tiling.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

constexpr std::size_t kNothing = ~std::size_t{0};
/// Blocks of windows whose residuals are looked at, at most: enough to know how they hang together.
constexpr std::size_t kMostBlocks = 4096;

double square(double value) { return value * value; }

Nanoseconds nanoseconds(double time_s) { return Nanoseconds{std::llround(time_s * 1e9)}; }

/// How long each class ran in a window.
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
  /// The classes that ran.
  [[nodiscard]] std::span<const std::uint32_t> works() const { return works_; }
  [[nodiscard]] double time_s(std::uint32_t work) const { return time_s_[work]; }

 private:
  std::vector<double> time_s_;
  std::vector<std::uint32_t> works_;
};

/// Sums up to a window's edge of what one interval, or one group, has of the windows.
struct EdgeState {
  std::size_t segment = kNothing;  // the last one that it had a part of
  double part = 0.0;               // what it had of it, 0–1
  double power = 0.0;              // W, of that segment

  /// Variance, over the square of the stamp's error, of the edges since the last segment.
  double enter(std::size_t index, double new_part, double new_power) {
    double variance = 0.0;
    if (segment != kNothing && segment + 1 == index) {
      variance = square((power + new_power) / 2.0 * (part - new_part));
    } else {
      variance = leave() + square(new_power * new_part);
    }
    *this = {index, new_part, new_power};
    return variance;
  }
  [[nodiscard]] double leave() const { return square(power * part); }
  /// Whether all of the segment before this one was had.
  [[nodiscard]] bool stays_whole(std::size_t index) const {
    return part == 1.0 && segment + 1 == index;
  }
};

/// One timeline's way through the spans.
class TimelineShares {
 public:
  TimelineShares(const EnergyTimeline& timeline, const SpanTiling& tiling, std::size_t classes,
                 const AttributionOptions& options, std::optional<Watts> idle)
      : timeline_(timeline),
        tiling_(tiling),
        options_(options),
        idle_(idle),
        classes_(classes),
        stamp_s_(seconds(timeline.stamp_error())),
        mix_(classes_),
        part_(classes_),
        response_(classes_) {}

  ClassPowers find_powers();
  /// `Put` takes (span, self energy, share without children's energy, time and windows).
  void share_out(const ClassPowers& powers, std::span<EnergyShare> shares, std::span<Joules> self,
                 std::size_t stride);
  /// After share_out. The groups' shares, `stride` apart.
  void put_groups(std::size_t grouping, std::span<EnergyShare> groups, std::size_t stride) const;

 private:
  struct Open {
    std::uint32_t span;
    SpanTiling::Range range;
    EdgeState edges;
    double variance = 0.0;
  };
  struct Group {
    EnergyShare share;
    EdgeState edges;
    double weight = 0.0;  // J, in the present segment
    double squares = 0.0;
    double time_s = 0.0;  // and its time
  };
  struct Grouping {
    std::vector<Group> groups;
    std::vector<double> gradient;  // groups × classes, J/W
    std::vector<std::uint32_t> present;
  };
  /// What the present segment shares out.
  struct Present {
    double factor = 0.0;    // energy over Σ power × time
    double expected = 0.0;  // Σ power × time
    double power = 0.0;
    double squares = 0.0;       // Σ (power × time)² of its pieces
    double whole_noise = 0.0;   // J²: see WindowNoise
    double piece_noise = 0.0;   // and over the square of a piece's power × time
    double own_response = 0.0;  // Tᵀ V T
    bool mixed = false;         // more than one class: their powers matter
  };

  void fill_mix(const SegmentMix& segment);
  void enter_segment(const SegmentMix& segment);
  void share_tiles(const SegmentMix& segment, std::span<EnergyShare> shares, std::span<Joules> self,
                   std::size_t stride);
  void add_variances(const SegmentMix& segment, std::span<EnergyShare> shares, std::size_t stride);
  void add_to_groups(const SegmentMix& segment);
  [[nodiscard]] double course_variance(double part, double squares) const;
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
  std::size_t classes_;
  double stamp_s_;
  const ClassPowers* powers_ = nullptr;
  bool known_ = false;  // whether there is a covariance

  Mix mix_;                       // of the segment
  Mix part_;                      // of an interval within it
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

ClassPowers TimelineShares::find_powers() {
  const Instant begin = tiling_.tiles.front().begin;
  const Instant end = tiling_.tiles.back().begin;
  const EnergyShare whole = timeline_.share(begin, end);
  const double mean_w =
      whole.covered > Nanoseconds{0} ? (whole.energy / whole.covered).value() : 0.0;
  const WindowNoise noise{.mean_w = mean_w, .stamp_variance = 2.0 * square(mean_w * stamp_s_)};
  if (!(mean_w > 0.0) || options_.by_time_alone) {
    // Nothing was used, or less than nothing: there are no powers to tell apart.
    return {.watts = std::vector<double>(classes_, 1.0), .noise = noise};
  }

  // What windows say that work covers whole; of those that it does not, the idle power accounts for
  // the rest, where it is known.
  const auto is_row = [&](const SegmentMix& segment) {
    return segment.outside_s == 0.0 || (idle_ && segment.outside_s < 0.9 * segment.length_s());
  };
  const std::size_t windows = timeline_.segment_at(end) - timeline_.segment_at(begin);  // about
  ClassPowerFit fit(classes_, windows, noise);
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
    const double outside_j = idle_.value_or(Watts{}).value() * segment.outside_s;
    return ClassPowerFit::Row{.parts = parts,
                              .energy_j = segment.segment.energy.value() - outside_j,
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
  for (const Open& open : open_) {  // their last window is the timeline's
    shares[open.span * stride].variance = open.variance + square(stamp_s_) * open.edges.leave();
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
  double outside_w = inside_s > 0.0 ? inside / inside_s : 1.0;
  if (idle_ && known_) {
    outside_w = std::clamp(idle_->value(), 0.0, outside_w);
  }
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
  const double scale = powers_->noise.scale;
  now_.whole_noise = scale * square(WindowNoise::kWholeSpread * energy);
  now_.piece_noise = scale * square(WindowNoise::kPieceSpread * now_.factor);
  weights_.assign(1, 0.0);
  squares_.assign(1, 0.0);
  for (std::size_t i = 0; i < segment.times_s.size(); ++i) {
    const std::size_t tile = segment.first + i;
    const double watts = span(tile) == SpanTiling::kNoSpan ? outside_w : powers_->watts[work(tile)];
    weights_.push_back(weights_.back() + watts * segment.times_s[i]);
    squares_.push_back(squares_.back() + square(watts * segment.times_s[i]));
  }
  now_.squares = squares_.back() + square(now_.expected - weights_.back());
}

/// What is not known of how a window's energy is spread over its pieces, of which the share has
/// `part` with the sum `squares` of squared energies.
double TimelineShares::course_variance(double part, double squares) const {
  const double others = std::max(0.0, now_.squares - squares);
  return now_.piece_noise * (square(1.0 - part) * squares + square(part) * others) +
         now_.whole_noise * std::max(0.0, part * (1.0 - part));
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
    const Joules energy{now_.factor * powers_->watts[work(tile)] * time_s};
    const std::size_t at = span(tile) * stride;
    self[at] += energy;
    EnergyShare& share = shares[at];
    share.energy += energy;
    share.covered += nanoseconds(time_s);
    share.windows += windows_per_s * time_s;
  }
}

/// gᵀ V g of what the tiles [from, to) have of the segment, `part` of its energy.
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
    if (range.end > first) {  // else it takes no time, or none that a window covers
      open_.push_back({.span = index, .range = range, .edges = {}});
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
      if (!whole || !open.edges.stays_whole(segment.index)) {
        open.variance += square(stamp_s_) * open.edges.enter(segment.index, part, now_.power);
      } else {
        open.edges = {segment.index, 1.0, now_.power};
      }
      if (!whole) {
        open.variance += course_variance(part, squares_[to] - squares_[from]);
        if (now_.mixed) {
          open.variance += model_variance(segment, from, to, part);
        }
      }
    }
    const bool closes = open.range.end <= last || (open.range.end == last + 1 && segment.last_ends);
    if (closes) {
      shares[open.span * stride].variance = open.variance + square(stamp_s_) * open.edges.leave();
    } else {
      open_[kept++] = open;
    }
  }
  open_.resize(kept);
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
      if (owner == SpanTiling::kNoSpan || owner >= of.of_span.size() ||
          of.of_span[owner] >= of.count) {
        continue;
      }
      const std::uint32_t index = of.of_span[owner];
      Group& group = grouping.groups[index];
      if (group.time_s == 0.0) {
        grouping.present.push_back(index);
      }
      group.weight += weights_[i + 1] - weights_[i];
      group.squares += squares_[i + 1] - squares_[i];
      group.time_s += segment.times_s[i];
      if (now_.mixed) {
        grouping.gradient[index * classes_ + work(tile)] += now_.factor * segment.times_s[i];
      }
    }
    for (const std::uint32_t index : grouping.present) {
      Group& group = grouping.groups[index];
      const double part = group.weight / now_.expected;
      group.share.energy += Joules{now_.factor * group.weight};
      group.share.covered += nanoseconds(group.time_s);
      group.share.windows += windows_per_s * group.time_s;
      group.share.variance += course_variance(part, group.squares) +
                              square(stamp_s_) * group.edges.enter(segment.index, part, now_.power);
      if (now_.mixed) {
        for (const std::uint32_t work : mix_.works()) {
          grouping.gradient[index * classes_ + work] -= now_.factor * part * mix_.time_s(work);
        }
      }
      group.weight = 0.0;
      group.squares = 0.0;
      group.time_s = 0.0;
    }
  }
}

void TimelineShares::put_groups(std::size_t grouping, std::span<EnergyShare> groups,
                                std::size_t stride) const {
  const Grouping& from = groupings_[grouping];
  for (std::size_t index = 0; index < from.groups.size(); ++index) {
    const Group& group = from.groups[index];
    EnergyShare share = group.share;
    share.variance += square(stamp_s_) * group.edges.leave();
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

}  // namespace

/// Fills in an Attribution.
class AttributionBuilder {
 public:
  static Attribution build(std::span<const Span> spans, std::span<const EnergyTimeline> timelines,
                           const AttributionOptions& options) {
    Attribution result(spans.size(), timelines.size());
    SpanTiling tiling = tile(spans);
    const std::size_t classes = assign_work(spans, options.classes, tiling);
    result.mended_ = tiling.mended;
    for (const SpanGroups& groups : options.groupings) {
      result.groups_.emplace_back(groups.count * timelines.size());
    }
    for (std::size_t line = 0; line < timelines.size(); ++line) {
      const auto idle = line < options.idle_power.size() ? options.idle_power[line] : std::nullopt;
      TimelineShares shares(timelines[line], tiling, classes, options, idle);
      result.powers_.push_back(shares.find_powers());
      shares.share_out(result.powers_.back(), std::span(result.shares_).subspan(line),
                       std::span(result.self_).subspan(line), timelines.size());
      for (std::size_t g = 0; g < result.groups_.size(); ++g) {
        shares.put_groups(g, std::span(result.groups_[g]).subspan(line), timelines.size());
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
