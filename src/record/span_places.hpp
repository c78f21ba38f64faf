// Maps span indices of a run to those of a recording that has only some of the run's spans.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace enprof {

/// Spans are added in the order of their indices. The place of a span is the number of spans that
/// were added before it. A search takes time that grows with the logarithm of that number: a long
/// run has hundreds of thousands of spans, and each of its passes makes a search.
class SpanPlaces {
 public:
  /// `index` must be greater than all indices that were added before.
  void add(std::int32_t index) { indices_.push_back(index); }
  /// Empty if the span was not added.
  [[nodiscard]] std::optional<std::int32_t> find(std::int32_t index) const {
    const std::size_t place = count_before(index);
    if (place == indices_.size() || indices_[place] != index) {
      return std::nullopt;
    }
    return static_cast<std::int32_t>(place);
  }
  /// The number of added spans whose index is less than `index`.
  [[nodiscard]] std::size_t count_before(std::int32_t index) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(indices_, index) - indices_.begin());
  }

 private:
  std::vector<std::int32_t> indices_;
};

}  // namespace enprof
