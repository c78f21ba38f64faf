#include "power/counter/read_trust.hpp"

namespace enprof {

void ReadTrust::note(Nanoseconds took, Instant now) noexcept {
  since_ = since_.value_or(now);
  ++reads_;
  if (took >= kHangingRead) {
    hung_at_ = now;
  }
}

bool ReadTrust::is_earned(Instant now) const noexcept {
  return reads_ >= kFewest && now - *since_ >= kWatched && (!hung_at_ || now - *hung_at_ >= kPause);
}

}  // namespace enprof
