#include "attribution/work_classes.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <vector>

namespace enprof {
namespace {

constexpr std::size_t kPhases = kAllPhases.size();

/// What stands for a span's kind before kinds are numbered. Callers' classes lie below 2³².
std::uint64_t key_of(const Span& span, std::uint32_t given) {
  if (given != kNoClass) {
    return given;
  }
  return std::uint64_t{1} << 32U | static_cast<std::uint64_t>(span.phase) << 24U |
         static_cast<std::uint64_t>(span.level) << 16U | span.name;
}

/// Numbers keys in the order in which they come. Neighbours in time often repeat, in cycles.
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
    std::uint64_t key = ~std::uint64_t{0};
    std::uint32_t number = 0;
  };
  std::array<Recent, 1024> recent_{};
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

struct Kind {
  double time = 0.0;
  std::size_t phase = 0;
};

/// New numbers, such that there are few enough of them.
std::vector<std::uint32_t> merged(const std::vector<Kind>& kinds) {
  std::vector<std::uint32_t> by_time(kinds.size());
  for (std::uint32_t kind = 0; kind < by_time.size(); ++kind) {
    by_time[kind] = kind;
  }
  std::ranges::stable_sort(by_time, std::ranges::greater{},
                           [&](std::uint32_t kind) { return kinds[kind].time; });
  std::vector<std::uint32_t> numbers(kinds.size());
  for (std::size_t rank = 0; rank < by_time.size(); ++rank) {
    const std::uint32_t kind = by_time[rank];
    const std::size_t kept = kMostClasses - kPhases;
    numbers[kind] = static_cast<std::uint32_t>(rank < kept ? rank : kept + kinds[kind].phase);
  }
  return numbers;
}

}  // namespace

std::size_t assign_work(std::span<const Span> spans, std::span<const std::uint32_t> classes,
                        SpanTiling& tiling) {
  Numbering number;
  std::vector<Kind> kinds;
  for (std::size_t index = 0; index + 1 < tiling.tiles.size(); ++index) {
    SpanTiling::Tile& tile = tiling.tiles[index];
    if (tile.span == SpanTiling::kNoSpan) {
      continue;
    }
    const Span& span = spans[tile.span];
    tile.work = number(key_of(span, tile.span < classes.size() ? classes[tile.span] : kNoClass));
    if (tile.work == kinds.size()) {
      kinds.push_back({.phase = static_cast<std::size_t>(span.phase) % kPhases});
    }
    kinds[tile.work].time +=
        static_cast<double>((tiling.tiles[index + 1].begin - tile.begin).count());
  }
  if (kinds.size() <= kMostClasses) {
    return kinds.size();
  }
  const std::vector<std::uint32_t> numbers = merged(kinds);
  for (SpanTiling::Tile& tile : tiling.tiles) {
    if (tile.span != SpanTiling::kNoSpan) {
      tile.work = numbers[tile.work];
    }
  }
  return kMostClasses;
}

}  // namespace enprof
