// The energy of a run's domains over time.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/energy_window.hpp"

#include "attribution/energy_timeline.hpp"
#include "attribution/figure_builder.hpp"
#include "profile/assemble/power_evidence.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// A timeline for each domain of a run's evidence, which outlives this; those of the root domains,
/// which add up to the total, once more by themselves. `root` counts roots, `domain` all domains.
class DomainTimelines {
 public:
  explicit DomainTimelines(const PowerEvidence& power);
  DomainTimelines(const DomainTimelines&) = delete;  // its spans refer to it
  DomainTimelines& operator=(const DomainTimelines&) = delete;
  ~DomainTimelines() = default;

  [[nodiscard]] std::span<const EnergyTimeline> roots() const {
    return std::span(timelines_).first(root_domains_.size());
  }
  [[nodiscard]] std::span<const RootDomain> root_domains() const { return root_domains_; }
  /// By root.
  [[nodiscard]] std::span<const std::optional<Watts>> idle_powers() const { return idle_powers_; }
  /// The root with the most energy in an interval; 0 without roots.
  [[nodiscard]] std::size_t largest_root(Instant begin, Instant end) const;

  [[nodiscard]] const EnergyTimeline& of(std::size_t domain) const {
    return timelines_[timeline_of_[domain]];
  }
  [[nodiscard]] std::span<const EnergyWindow> windows_of(std::size_t domain) const;
  /// The domain as if it were the only root.
  [[nodiscard]] RootDomain alone(std::size_t domain) const;
  /// Windows without a duration or without a finite energy.
  [[nodiscard]] std::size_t rejected_windows() const { return rejected_windows_; }

 private:
  const PowerEvidence& power_;
  std::vector<EnergyTimeline> timelines_;  // of the roots, so that they are one span; then others
  std::vector<std::size_t> timeline_of_;   // by domain: an index into timelines_
  std::vector<RootDomain> root_domains_;
  std::vector<std::optional<Watts>> idle_powers_;
  std::size_t rejected_windows_ = 0;
};

/// Mean power of a domain over an interval; empty if its windows do not cover the whole interval.
[[nodiscard]] std::optional<Watts> mean_power(const EnergyTimeline& timeline, Instant from,
                                              Instant to);

}  // namespace enprof
