// The requests that a program serves, while it runs.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/capture.hpp"
#include "enprof/model/operation.hpp"

#include "profile/capture/request_finder.hpp"
#include "record/capture_recording.hpp"
#include "record/pass_record.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>

namespace enprof {

/// What the passes so far say. A pass is known when it has ended.
struct RequestsSoFar {
  std::size_t passes = 0;
  std::size_t requests = 0;   ///< that began
  std::size_t in_flight = 0;  ///< at the time that was asked for
  std::size_t output_tokens = 0;
  double pass_s = 0.0;      ///< time in passes
  double sequence_s = 0.0;  ///< Σ time of a pass × sequences in it

  friend bool operator==(const RequestsSoFar&, const RequestsSoFar&) = default;
};

/// Follows requests from pass to pass, as the capture's end does (RequestFinder): what a later pass
/// shows, such as a warm-up or a rejected draft, changes what was said before.
/// Threads: any; each waits for the other only while a pass is added or all are counted.
class LiveRequests {
 public:
  /// After a context's last pass its requests are in flight for this long, or for three times as
  /// long as that pass took: what the next one computes is known only when it has ended.
  static constexpr Nanoseconds kLingering = std::chrono::seconds{1};

  /// Forgets all: another program begins.
  void clear();
  /// The next pass of a context. `contexts` are all that are known by now.
  void add(std::uint32_t context, std::span<const CapturedContext> contexts, const PassRecord& pass,
           std::span<const BatchSequence> batch);
  void add(const CapturedChange& change);
  [[nodiscard]] RequestsSoFar so_far(Instant now) const;

 private:
  struct LastPass {
    Instant begin;
    Instant end;
  };

  mutable std::mutex mutex_;  // guards what follows
  RequestFinder finder_{std::span<const CapturedContext>{}};
  std::map<std::uint32_t, LastPass> last_;  // by context
  RequestsSoFar sums_;                      // requests and their tokens are counted when asked for
  std::uint32_t next_ = 0;
};

}  // namespace enprof
