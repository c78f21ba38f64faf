// Decides which domains a total may be made of, by what their sensors have shown.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/power/power_monitor.hpp"

#include <span>
#include <vector>

namespace enprof {

/// What one domain's sensor has shown.
struct DomainRecord {
  std::span<const EnergyWindow> windows;  ///< by begin; they do not overlap
  bool has_counted = false;  ///< any energy since the monitor was started, also before the windows
};

struct TrustedTime {
  Instant since;  ///< the windows reach back to here
  Instant begin;  ///< of what is to be added up
  Instant end;
};

/// Which domains a total of [begin, end] may be made of.
///
/// - A domain without energy in that time, while its parts had some, is left out, and its parts are
///   counted. It must have been watched for kShortestSilence and three of its windows, so that a
///   slow sensor does not count as one that stands still. As soon as it shows energy, it is counted
///   again instead of its parts.
/// - A domain that reports less than its parts together contradicts them, and is left out. Compared
///   is the time that all of them cover, from kTrustLookBack before the end on, or from `begin`; it
///   must be kShortestComparison and kCompared windows long. The difference must exceed kTolerance
///   and what a sensor that lags by one of its windows can miss. Estimates, rails and MIG instances
///   are not compared: an estimate is no evidence, the whole is the sum of its rails, and instances
///   may repeat their GPU's value.
/// - Memory, cores, graphics units and neural engines that have never counted are left out, as on a
///   machine that does not have that counter.
/// - Any other domain that stands still stays: its energy is missing, and the coverage says so.
///
/// A domain that is left out gets the scope `unclear`. `domains` and `records` go together; parents
/// are linked. Pure. Codes of warnings: domain_left_out, domain_stands_still, whole_below_parts,
/// rails_not_added.
[[nodiscard]] TrustedDomains trust_domains(const std::vector<Domain>& domains,
                                           std::span<const DomainRecord> records,
                                           const TrustedTime& time);

/// How far back windows are needed to decide about an instant.
inline constexpr Nanoseconds kTrustLookBack = std::chrono::seconds{10};
inline constexpr Nanoseconds kShortestSilence = std::chrono::milliseconds{200};
inline constexpr Nanoseconds kShortestComparison = std::chrono::milliseconds{200};
inline constexpr int kSilentWindows = 3;
inline constexpr int kCompared = 2;
/// Sensors of a whole and of its parts may differ by so much: each is known to a few per cent.
inline constexpr double kTolerance = 0.05;

}  // namespace enprof
