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
#include <vector>

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

/// A request, as far as the passes so far say.
struct LiveRequest {
  /// In the order in which they were first seen, from 1; it stays, and no other gets it. The
  /// capture at its end may count differently: it leaves out warm-ups.
  std::size_t number = 0;
  std::uint32_t context = 0;
  std::int32_t sequence = 0;
  Instant begin;                  ///< of its first pass
  Instant end;                    ///< of its last pass so far
  std::size_t prompt_tokens = 0;  ///< those in the cache, too
  std::size_t output_tokens = 0;
  std::optional<Instant> first_token{};  ///< the end of the pass that made it

  friend bool operator==(const LiveRequest&, const LiveRequest&) = default;
};

/// What has become of the requests since the news before. Of each number the latest entry holds:
/// one that had ended may go on, and then is running again.
struct RequestNews {
  RequestsSoFar sums;
  std::vector<LiveRequest> running{};     ///< all that are in flight
  std::vector<LiveRequest> ended{};       ///< since then, or other than was said then
  std::vector<std::size_t> taken_back{};  ///< numbers of those that were warm-ups
  std::size_t left_out = 0;  ///< of `running` the latest, of `ended` the first: too many

  friend bool operator==(const RequestNews&, const RequestNews&) = default;
};

/// Follows requests from pass to pass, as the capture's end does (RequestFinder): what a later pass
/// shows, such as a warm-up or a rejected draft, changes what was said before.
/// Threads: any; each waits for the other only while a pass is added or news are made. News tell
/// one caller what is new.
class LiveRequests {
 public:
  /// After a context's last pass its requests are in flight for this long, or for three times as
  /// long as that pass took: what the next one computes is known only when it has ended.
  static constexpr Nanoseconds kLingering = std::chrono::seconds{1};
  /// The most requests in each list of news.
  static constexpr std::size_t kMostListed = 256;

  /// Forgets all: another program begins.
  void clear();
  /// The next pass of a context. `contexts` are all that are known by now.
  void add(std::uint32_t context, std::span<const CapturedContext> contexts, const PassRecord& pass,
           std::span<const BatchSequence> batch);
  void add(const CapturedChange& change);
  /// The program has ended: from now on no request is in flight.
  void end_program();
  [[nodiscard]] RequestsSoFar so_far(Instant now) const;
  /// As so_far(), and what is new since the last call.
  [[nodiscard]] RequestNews news(Instant now);

 private:
  struct LastPass {
    Instant begin;
    Instant end;
  };
  /// Beside what the finder knows of a request.
  struct Followed {
    Instant begin;
    Instant end;
    std::optional<Instant> first_token{};
    bool counts = false;  // in the sums, with these output tokens
    std::size_t output_tokens = 0;
    bool is_touched = false;            // something of it may be news
    std::optional<LiveRequest> told{};  // that it had ended, in the last news of it
    bool is_known = false;              // it was in any news
  };

  // These need mutex_.
  void touch(std::size_t index);
  void touch_all(std::span<const std::size_t> indexes);
  [[nodiscard]] std::vector<std::size_t> in_flight(Instant now) const;
  [[nodiscard]] LiveRequest describe(std::size_t index) const;
  void tell_ended(std::size_t index, RequestNews& news);

  mutable std::mutex mutex_;  // guards what follows
  RequestFinder finder_{std::span<const CapturedContext>{}};
  std::map<std::uint32_t, LastPass> last_;  // by context
  RequestsSoFar sums_;                      // those in flight are counted when asked for
  std::uint32_t next_ = 0;
  bool has_ended_ = false;
  std::vector<Followed> followed_;         // by the finder's index
  std::vector<std::size_t> touched_;       // since the last news
  std::vector<std::size_t> were_running_;  // in the last news
};

}  // namespace enprof
