// Where the spans of a run stand in a recording that leaves some of them out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// Spans are added in the order of their indices, one after the other: the place of each is the
/// number of those before it. A look takes the logarithm of their number, whichever is looked for:
/// a long run has hundreds of thousands of them, and each of its passes is looked for.
class SpanPlaces {
 public:
  /// `index` is greater than those before it.
  void add(std::int32_t index) { indices_.push_back(index); }
  /// Empty where the span was left out.
  [[nodiscard]] std::optional<std::int32_t> find(std::int32_t index) const {
    const std::size_t place = count_before(index);
    if (place == indices_.size() || indices_[place] != index) {
      return std::nullopt;
    }
    return static_cast<std::int32_t>(place);
  }
  /// How many spans there are whose index is less.
  [[nodiscard]] std::size_t count_before(std::int32_t index) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(indices_, index) - indices_.begin());
  }

 private:
  std::vector<std::int32_t> indices_;
};

}  // namespace enprof
