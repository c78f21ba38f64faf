// Limits the request rate of each client.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace enprof {

/// A token bucket per client, which holds `burst` requests and is refilled at `per_second`. Full
/// buckets are deleted. Once kMostClients have a bucket, all others share one, so that memory is
/// bounded however many strangers connect. Threads: one.
class RateLimiter {
 public:
  static constexpr std::size_t kMostClients = 4096;

  RateLimiter(double per_second, double burst, const Clock& clock)
      : per_second_(per_second), burst_(burst), clock_(&clock) {}

  /// Counts a request of a client. Empty if it may be answered; otherwise how long the client has
  /// to wait.
  [[nodiscard]] std::optional<Nanoseconds> admit(const std::string& client);
  [[nodiscard]] std::size_t clients() const { return buckets_.size(); }

 private:
  struct Bucket {
    double requests = 0.0;
    Instant at;  // the time of that
  };

  void delete_full(Instant now);
  [[nodiscard]] double available(const Bucket& bucket, Instant now) const;

  double per_second_;
  double burst_;
  const Clock* clock_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace enprof
