// Shares measured energy out among what was done meanwhile: for programs that have windows and
// spans of their own.
//
//   std::vector<enprof::Domain> domains{enprof::domain_from_name("package-0")};
//   std::vector<enprof::EnergyWindow> windows = …;   // what a sensor said
//   std::vector<enprof::Span> spans = …;             // what a program did; the run first
//   auto energy = enprof::attribute_energy(
//       {.domains = domains, .windows = windows, .spans = spans});
//   energy->spans[3].total;                          // joules of the fourth span
//
// docs/attribution.md says how, and where its uncertainty comes from.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"
#include "enprof/model/figure.hpp"
#include "enprof/model/span.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace enprof {

/// What is to be joined. Nothing of it is kept.
struct AttributionRequest {
  /// Those without a parent are added up; see link_parents().
  std::span<const Domain> domains;
  /// Of all domains, in any order. Windows of one domain may have gaps; where they overlap they add
  /// up.
  std::span<const EnergyWindow> windows;
  /// A tree: each span lies within its parent, which comes before it. Children follow one another
  /// in time. What does not is cut, and counted.
  std::span<const Span> spans;
  /// By span, or empty: the kind of work that its own time is. Spans of one kind are taken to draw
  /// similar power, which tells them apart where they are shorter than a window.
  std::span<const std::uint32_t> classes;
  /// By domain, or empty: what it draws idle. Splits totals into baseline and dynamic, and is what
  /// the machine is taken to draw before and after the spans.
  std::span<const std::optional<Watts>> idle_power;

  /// In `classes`: a kind of its own for each phase, level and name.
  static constexpr std::uint32_t kNoClass = std::numeric_limits<std::uint32_t>::max();
};

/// What was found.
struct AttributedEnergy {
  std::vector<Figure> spans;  ///< by span, its children included
  /// By span, without its children: at each span both add up. Empty where it has no own time.
  std::vector<Figure> own;
  std::size_t rejected_windows = 0;  ///< of no or negative length, or not a finite energy
  std::size_t mended_spans = 0;      ///< that did not lie within their parent, or overlapped
};

/// Pure; threads: any. Cost: as sorting the windows, and O(spans + windows). Errors:
/// invalid_argument, where a window or a span refers to what is not in its list, a parent does not
/// come before its child, or a list by span or by domain has another length.
[[nodiscard]] ENPROF_API Result<AttributedEnergy> attribute_energy(
    const AttributionRequest& request);

}  // namespace enprof
