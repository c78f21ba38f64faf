#include "attribution/work_classes.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <unordered_map>
#include <vector>

namespace enprof {
namespace {

constexpr std::size_t kPhases = kAllPhases.size();

/// The key of a span's kind, before kinds are numbered. Callers' classes are below 2³².
std::uint64_t key_of(const Span& span, std::uint32_t given) {
  if (given != kNoClass) {
    return given;
  }
  return std::uint64_t{1} << 32U | static_cast<std::uint64_t>(span.phase) << 24U |
         static_cast<std::uint64_t>(span.level) << 16U | span.name;
}

/// The lengths of a class's pieces, to compute its usual length.
struct Lengths {
  double count = 0.0;
  double sum = 0.0;  // of log₂

  void add(double log2) {
    ++count;
    sum += log2;
  }
  [[nodiscard]] double mean() const { return sum / count; }
};

constexpr int kMostSteps = 7;
constexpr double kUsual = 0.02;  // share of a class's pieces

/// The distance from the usual length, in half octaves.
int step_of(double log2, const Lengths& lengths) {
  return std::clamp(static_cast<int>(std::lround(2.0 * (log2 - lengths.mean()))), -kMostSteps,
                    kMostSteps);
}

/// Numbers keys in the order in which they come. Sequences of keys often repeat.
class Numbering {
 public:
  std::uint32_t operator()(std::uint64_t key) {
    Recent& recent = recent_[key % recent_.size()];
    if (recent.key != key) {
      recent = {
          key,
          numbers_.try_emplace(key, static_cast<std::uint32_t>(numbers_.size())).first->second};
    }
    return recent.number;
  }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  struct Recent {
    std::uint64_t key = 0x5A5A'5A5A'5A5A'5A5A;  // not a real key
    std::uint32_t number = 0;
  };
  std::array<Recent, 1024> recent_{};
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

/// Calls `visit` with each tile that belongs to a span, and its length.
template <class Visit>
void for_each_tile(SpanTiling& tiling, Visit visit) {
  for (std::size_t index = 0; index + 1 < tiling.tiles.size(); ++index) {
    SpanTiling::Tile& tile = tiling.tiles[index];
    if (tile.span != SpanTiling::kNoSpan) {
      visit(tile, tiling.tiles[index + 1].begin - tile.begin);
    }
  }
}

/// A fast approximation (error up to 0.09) that uses the mantissa's fraction as its logarithm.
double log2_of(Nanoseconds length) {
  const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(length.count()));
  return static_cast<double>(bits) * 0x1p-52 - 1023.0;
}

/// A kind of work, before numbering.
struct Kind {
  std::size_t phase = 0;
  double time = 0.0;
};

/// New numbers for the kinds, at most kMostClasses.
std::vector<std::uint32_t> merged(const std::vector<Kind>& kinds) {
  std::vector<std::uint32_t> numbers(kinds.size());
  for (std::uint32_t kind = 0; kind < numbers.size(); ++kind) {
    numbers[kind] = kind;
  }
  if (kinds.size() <= kMostClasses) {
    return numbers;
  }
  std::vector<std::uint32_t> by_time = numbers;
  std::ranges::stable_sort(by_time, std::ranges::greater{},
                           [&](std::uint32_t kind) { return kinds[kind].time; });
  for (std::size_t rank = 0; rank < by_time.size(); ++rank) {
    const std::uint32_t kind = by_time[rank];
    const std::size_t kept = kMostClasses - kPhases;
    numbers[kind] = static_cast<std::uint32_t>(rank < kept ? rank : kept + kinds[kind].phase);
  }
  return numbers;
}

/// Splits classes by the length of their pieces.
std::vector<Kind> split_by_length(SpanTiling& tiling, std::span<const Span> spans,
                                  const std::vector<Lengths>& lengths) {
  constexpr std::size_t kSteps = 2 * kMostSteps + 1;
  std::vector<std::array<std::uint32_t, kSteps>> counts(lengths.size());
  const auto step = [&](const SpanTiling::Tile& tile, Nanoseconds length) {
    const std::int64_t steps = step_of(log2_of(length), lengths[tile.work]);
    return static_cast<std::size_t>(steps + kMostSteps);
  };
  for_each_tile(tiling, [&](const SpanTiling::Tile& tile, Nanoseconds length) {
    ++counts[tile.work][step(tile, length)];
  });
  Numbering number;
  std::vector<Kind> kinds;
  for_each_tile(tiling, [&](SpanTiling::Tile& tile, Nanoseconds length) {
    const auto phase = static_cast<std::size_t>(spans[tile.span].phase) % kPhases;
    const std::size_t at = step(tile, length);
    const bool usual = counts[tile.work][at] >= kUsual * lengths[tile.work].count;
    tile.work = number(usual ? tile.work * kSteps + at : ~std::uint64_t{0} - phase);
    if (tile.work == kinds.size()) {
      kinds.push_back({.phase = phase});
    }
    kinds[tile.work].time += static_cast<double>(length.count());
  });
  return kinds;
}

}  // namespace

std::size_t assign_work(std::span<const Span> spans, std::span<const std::uint32_t> classes,
                        SpanTiling& tiling) {
  Numbering number;
  std::vector<Lengths> lengths;
  for_each_tile(tiling, [&](SpanTiling::Tile& tile, Nanoseconds length) {
    tile.work = number(
        key_of(spans[tile.span], tile.span < classes.size() ? classes[tile.span] : kNoClass));
    if (tile.work == lengths.size()) {
      lengths.emplace_back();
    }
    lengths[tile.work].add(log2_of(length));
  });
  const std::vector<Kind> kinds = split_by_length(tiling, spans, lengths);
  const std::vector<std::uint32_t> numbers = merged(kinds);
  const std::size_t count = std::min(kinds.size(), kMostClasses);
  if (kinds.size() > count) {
    for_each_tile(tiling,
                  [&](SpanTiling::Tile& tile, Nanoseconds) { tile.work = numbers[tile.work]; });
  }
  return count;
}

std::vector<std::uint32_t> classes_of_work(std::span<const Span> spans,
                                           std::span<const std::uint32_t> classes,
                                           const SpanTiling& tiling, std::size_t count) {
  std::vector<std::uint32_t> result(count, kNoClass);
  std::vector<bool> seen(count);
  for (const SpanTiling::Tile& tile : tiling.tiles) {
    if (tile.span == SpanTiling::kNoSpan || tile.span >= spans.size()) {
      continue;
    }
    const std::uint32_t given = tile.span < classes.size() ? classes[tile.span] : kNoClass;
    if (!seen[tile.work]) {
      seen[tile.work] = true;
      result[tile.work] = given;
    } else if (result[tile.work] != given) {
      result[tile.work] = kNoClass;
    }
  }
  return result;
}

}  // namespace enprof
