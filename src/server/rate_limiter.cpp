#include "server/rate_limiter.hpp"

#include <algorithm>

namespace enprof {

std::optional<Nanoseconds> RateLimiter::take(const std::string& client) {
  const Instant now = clock_->now();
  auto found = buckets_.find(client);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMostClients) {
      forget_full(now);
    }
    const std::string& name = buckets_.size() < kMostClients ? client : std::string{};
    found = buckets_.emplace(name, Bucket{.requests = burst_, .at = now}).first;
  }
  Bucket& bucket = found->second;
  bucket.requests = held(bucket, now);
  bucket.at = now;
  if (bucket.requests < 1.0) {
    return std::chrono::ceil<Nanoseconds>(
        std::chrono::duration<double>((1.0 - bucket.requests) / per_second_));
  }
  bucket.requests -= 1.0;
  return std::nullopt;
}

double RateLimiter::held(const Bucket& bucket, Instant now) const {
  return std::min(burst_, bucket.requests + seconds(now - bucket.at) * per_second_);
}

void RateLimiter::forget_full(Instant now) {
  std::erase_if(buckets_, [&](const auto& entry) { return held(entry.second, now) >= burst_; });
}

}  // namespace enprof
