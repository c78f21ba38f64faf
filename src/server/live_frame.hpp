// Turns events into the frames that a watcher gets.
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
/// watcher without `since` continues after it if the connection breaks before an event.
inline constexpr const char* kSeqHeader = "Enprof-Seq";

/// The events that a watcher wants. Empty sets: everything.
struct LiveFilter {
  std::set<std::string, std::less<>> runs;
  std::set<std::string, std::less<>> types;

  [[nodiscard]] bool wants(const LiveEvent& event) const {
    return (runs.empty() || runs.contains(event.run_id)) &&
           (types.empty() || types.contains(event.type));
  }
};

/// All types of events.
[[nodiscard]] std::span<const std::string_view> live_event_types();

/// Parses {"subscribe":{"runs":["…"],"types":["…"]}}; an absent member means everything. Errors:
/// malformed, if it is not such a message or has more than kMostNames names; invalid_argument, for
/// a duplicate member, an empty list, or an unknown member or type (the hint suggests the one that
/// was probably meant).
[[nodiscard]] Result<LiveFilter> parse_subscription(std::string_view message);
inline constexpr std::size_t kMostNames = 64;

/// A JSON array of envelopes; empty if the filter leaves no event. If events were missed, a gap
/// comes first: {"seq":…,"run_id":"","type":"gap","t_ms":0,"data":{"missed":…,"restarted":…}};
/// after a restart `missed` is null. With `merge_power`, for a watcher that is behind, only the
/// last of consecutive power samples of a run is kept: each has the energy so far, so that only
/// resolution in time is lost.
[[nodiscard]] std::string make_frame(const EventHub::Batch& batch, const LiveFilter& filter,
                                     bool merge_power);

}  // namespace enprof
