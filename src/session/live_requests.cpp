#include "session/live_requests.hpp"

#include <algorithm>

namespace enprof {

void LiveRequests::clear() {
  const std::lock_guard lock(mutex_);
  finder_ = RequestFinder(std::span<const CapturedContext>{});
  last_.clear();
  sums_ = {};
  next_ = 0;
}

void LiveRequests::add(std::uint32_t context, std::span<const CapturedContext> contexts,
                       const PassRecord& pass, std::span<const BatchSequence> batch) {
  const std::lock_guard lock(mutex_);
  finder_.know(contexts);
  finder_.add(next_++, context, batch);
  finder_.know({});  // they may move before the next pass
  last_[context] = {.begin = pass.begin, .end = pass.end};
  const double time_s = seconds(pass.end - pass.begin);
  ++sums_.passes;
  sums_.pass_s += time_s;
  sums_.sequence_s += time_s * static_cast<double>(batch.size());
}

void LiveRequests::add(const CapturedChange& change) {
  const std::lock_guard lock(mutex_);
  finder_.add_change(change.context, change.change);
}

RequestsSoFar LiveRequests::so_far(Instant now) const {
  const std::lock_guard lock(mutex_);
  RequestsSoFar sums = sums_;
  for (const FoundRequest& request : finder_.so_far()) {
    sums.requests += request.parts.empty() ? 0 : 1;  // a warm-up has none
    sums.output_tokens += request.parts.empty() ? 0 : request.output_tokens;
  }
  for (const auto& [context, last] : last_) {
    if (now - last.end <= std::max(kLingering, 3 * (last.end - last.begin))) {
      sums.in_flight += finder_.in_flight(context);
    }
  }
  return sums;
}

}  // namespace enprof
