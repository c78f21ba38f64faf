// How often one client may ask.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace enprof {

/// A bucket for each client that holds `burst` requests and is refilled at `per_second`. Buckets
/// that are full again are forgotten. Where kMostClients have one, the others share one, so that a
/// network full of strangers costs no more memory than that. Threads: one.
class RateLimiter {
 public:
  static constexpr std::size_t kMostClients = 4096;

  RateLimiter(double per_second, double burst, const Clock& clock)
      : per_second_(per_second), burst_(burst), clock_(&clock) {}

  /// Takes a request of a client into account. Empty where it may be answered; else how long the
  /// client has to wait.
  [[nodiscard]] std::optional<Nanoseconds> take(const std::string& client);
  [[nodiscard]] std::size_t clients() const { return buckets_.size(); }

 private:
  struct Bucket {
    double requests = 0.0;
    Instant at;  // when it held them
  };

  void forget_full(Instant now);
  [[nodiscard]] double held(const Bucket& bucket, Instant now) const;

  double per_second_;
  double burst_;
  const Clock* clock_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace enprof
