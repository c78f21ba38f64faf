// From events to what one watcher is sent.
#pragma once

#include "enprof/base/error.hpp"

#include "live/event_hub.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// A header of the answer that opens the stream: the number of the latest event at that time. A
/// watcher that asked for no `since` goes on after it, should the connection break before an event.
inline constexpr const char* kSeqHeader = "Enprof-Seq";

/// What a watcher wants to hear of. Empty sets: everything.
struct LiveFilter {
  std::set<std::string, std::less<>> runs;
  std::set<std::string, std::less<>> types;

  [[nodiscard]] bool wants(const LiveEvent& event) const {
    return (runs.empty() || runs.contains(event.run_id)) &&
           (types.empty() || types.contains(event.type));
  }
};

/// The types of events that there are.
[[nodiscard]] std::span<const std::string_view> live_event_types();

/// Reads {"subscribe":{"runs":["…"],"types":["…"]}}; a member that is absent means everything.
/// Errors: malformed, where it is no such message or names more than kMostNames; invalid_argument,
/// for a member that comes twice, for a list that is empty, and, with the one that was probably
/// meant, for another member or a type that there is not.
[[nodiscard]] Result<LiveFilter> parse_subscription(std::string_view message);
inline constexpr std::size_t kMostNames = 64;

/// A JSON array of envelopes; empty where the filter leaves nothing. Where events were missed, a
/// gap comes first: {"seq":…,"run_id":"","type":"gap","t_ms":0,"data":{"missed":…,"restarted":…}},
/// after a restart with `missed` null. With `merge_power`, for a watcher that is behind, only the
/// last of consecutive power samples of a run is kept: each tells the energy so far, so that what
/// is lost is resolution in time.
[[nodiscard]] std::string make_frame(const EventHub::Batch& batch, const LiveFilter& filter,
                                     bool merge_power);

}  // namespace enprof
