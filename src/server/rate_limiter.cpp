#include "server/rate_limiter.hpp"

#include <algorithm>

namespace enprof {

std::optional<Nanoseconds> RateLimiter::admit(const std::string& client) {
  const Instant now = clock_->now();
  auto found = buckets_.find(client);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMostClients) {
      delete_full(now);
    }
    const std::string& name = buckets_.size() < kMostClients ? client : std::string{};
    found = buckets_.emplace(name, Bucket{.requests = burst_, .at = now}).first;
  }
  Bucket& bucket = found->second;
  bucket.requests = available(bucket, now);
  bucket.at = now;
  if (bucket.requests < 1.0) {
    return std::chrono::ceil<Nanoseconds>(
        std::chrono::duration<double>((1.0 - bucket.requests) / per_second_));
  }
  bucket.requests -= 1.0;
  return std::nullopt;
}

double RateLimiter::available(const Bucket& bucket, Instant now) const {
  return std::min(burst_, bucket.requests + seconds(now - bucket.at) * per_second_);
}

void RateLimiter::delete_full(Instant now) {
  std::erase_if(buckets_,
                [&](const auto& entry) { return available(entry.second, now) >= burst_; });
}

}  // namespace enprof
