// More that is wanted of a run's attribution than its levels.
#pragma once

#include "enprof/model/span.hpp"

#include "attribution/attribution.hpp"
#include "profile/assemble/domain_timelines.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enprof {

/// Groups whose energies are computed together with the figures of a run. Threads: one.
class ExtraGroups {
 public:
  ExtraGroups() = default;
  ExtraGroups(const ExtraGroups&) = delete;
  ExtraGroups& operator=(const ExtraGroups&) = delete;
  virtual ~ExtraGroups() = default;

  /// The groups of these spans, which are the recording's, with those of its passes among them.
  /// `classes` is by span, kNoClass where it is not a leaf of a pass; empty at depth minimal, where
  /// passes have no spans. Called again for a coarser depth where a finer one failed.
  [[nodiscard]] virtual std::vector<SpanGroups> groupings(
      std::span<const Span> spans, std::span<const std::uint32_t> classes) = 0;
  /// By span, finer classes of work than `classes`, for the spans of the last groupings(): the
  /// power of an operation depends on how much there is in a pass. Empty: those are fine enough.
  /// Not used where a calibration gives the powers of classes.
  [[nodiscard]] virtual std::vector<std::uint32_t> finer_classes(
      std::span<const std::uint32_t> classes) {
    static_cast<void>(classes);
    return {};
  }
  /// The attribution of these spans. The groups above are those from `first` on. What it refers to
  /// is valid during the call.
  virtual void take(const Attribution& attribution, std::size_t first,
                    const DomainTimelines& timelines) = 0;
};

}  // namespace enprof
