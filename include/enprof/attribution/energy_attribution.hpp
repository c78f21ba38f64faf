// Divides measured energy among the spans of work in that time: for programs that have their own
// windows and spans.
//
//   std::vector<enprof::Domain> domains{enprof::domain_from_name("package-0")};
//   enprof::WindowsByDomain windows = …;             // what sensors said: a list for each domain
//   std::vector<enprof::Span> spans = …;             // what a program did; the run first
//   auto energy = enprof::attribute_energy(
//       {.domains = domains, .windows = windows, .spans = spans});
//   energy->spans[3].total;                          // joules of the fourth span
//
// docs/attribution.md describes the method and its uncertainty.
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

/// The input. It is only read during the call.
struct AttributionRequest {
  /// Domains without a parent are added up; see link_parents().
  std::span<const Domain> domains;
  /// By domain, as PowerMonitor::windows() gives them: those of each in any order. Windows before
  /// and after the spans are evidence of the power outside, of which windows at the spans' edges
  /// have a part. They may have gaps; where they overlap they add up. Their own `domain` is not
  /// looked at.
  std::span<const std::vector<EnergyWindow>> windows;
  /// A tree: each span lies within its parent, which comes before it. Children follow one another
  /// in time. A span that violates this is cut, and counted in `mended_spans`.
  std::span<const Span> spans;
  /// By span, or empty: the kind of work of the span's own time. Spans of one kind are assumed to
  /// draw similar power, which distinguishes them where they are shorter than a window.
  std::span<const std::uint32_t> classes;
  /// By domain, or empty: its idle power. It splits totals into baseline and dynamic. Where no
  /// window says what the domain drew before or after the spans, that power is unknown, between
  /// idle power and that of the spans.
  std::span<const std::optional<Watts>> idle_power;

  /// In `classes`: a kind of its own for each phase, level and name.
  static constexpr std::uint32_t kNoClass = std::numeric_limits<std::uint32_t>::max();
};

/// The result.
struct AttributedEnergy {
  std::vector<Figure> spans;  ///< by span, its children included
  /// By span, without its children: own + children = span. Empty if the span has no own time.
  std::vector<Figure> own;
  std::size_t rejected_windows = 0;  ///< with no or negative length, or without a finite energy
  std::size_t mended_spans = 0;      ///< spans that did not lie within their parent, or overlapped
};

/// Pure; threads: any. Cost: sorting the windows, and O(spans + windows). Errors: invalid_argument
/// if a window or a span refers to an index outside its list, a parent does not come before its
/// child, or a list by span or by domain has another length.
[[nodiscard]] ENPROF_API Result<AttributedEnergy> attribute_energy(
    const AttributionRequest& request);

}  // namespace enprof
