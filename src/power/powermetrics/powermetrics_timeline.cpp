#include "power/powermetrics/powermetrics_timeline.hpp"

#include <algorithm>
#include <numeric>

namespace enprof {

void PowermetricsTimeline::break_chain() {
  origins_.clear();
  sum_ = Nanoseconds{0};
  chained_ = false;
}

PowermetricsTimeline::Placement PowermetricsTimeline::place(std::span<const Nanoseconds> lengths,
                                                            Instant at) {
  Placement result;
  if (lengths.empty()) {
    return result;
  }
  const Nanoseconds total = std::reduce(lengths.begin(), lengths.end());
  if (!origins_.empty() && at - (*std::ranges::min_element(origins_) + sum_ + total) > lateness_) {
    break_chain();
  }
  result.is_new_chain = !chained_;
  origins_.push_back(at - (sum_ + total));
  if (origins_.size() > kMemory) {
    origins_.pop_front();
  }
  const Instant origin = *std::ranges::min_element(origins_);
  for (const Nanoseconds length : lengths) {
    sum_ += length;
    const Instant end = origin + sum_;
    Instant begin = end - length;
    if (last_end_) {
      begin = chained_ ? *last_end_ : std::max(begin, *last_end_);
    }
    chained_ = true;
    if (end - begin < length / 2) {
      result.places.emplace_back();
      last_end_ = std::max(begin, end);
    } else {
      result.places.emplace_back(Place{.begin = begin, .end = end});
      last_end_ = end;
    }
  }
  return result;
}

}  // namespace enprof
