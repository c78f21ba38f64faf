#include "enprof/attribution/energy_attribution.hpp"

#include "attribution/attribution.hpp"
#include "attribution/figure_builder.hpp"
#include "attribution/work_classes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace enprof {
namespace {

static_assert(AttributionRequest::kNoClass == kNoClass);

std::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::invalid_argument, std::move(message),
              "See enprof/attribution/energy_attribution.hpp.");
}

Result<void> check(const AttributionRequest& request) {
  if (request.windows.size() != request.domains.size()) {
    return refuse(fmt::format("There are {} lists of windows for {} domains",
                              request.windows.size(), request.domains.size()));
  }
  for (std::size_t index = 0; index < request.spans.size(); ++index) {
    const std::int32_t parent = request.spans[index].parent;
    if (parent < Span::kNone || parent >= static_cast<std::int64_t>(index)) {
      return refuse(
          fmt::format("Span {} has the parent {}, which does not come before it", index, parent));
    }
  }
  if (!request.classes.empty() && request.classes.size() != request.spans.size()) {
    return refuse(fmt::format("There are {} classes for {} spans", request.classes.size(),
                              request.spans.size()));
  }
  if (!request.idle_power.empty() && request.idle_power.size() != request.domains.size()) {
    return refuse(fmt::format("There are {} idle powers for {} domains", request.idle_power.size(),
                              request.domains.size()));
  }
  return {};
}

/// Each span's time without that of its children.
std::vector<Nanoseconds> own_durations(std::span<const Span> spans) {
  std::vector<Nanoseconds> result;
  result.reserve(spans.size());
  for (const Span& span : spans) {
    result.push_back(span.duration());
    if (span.parent != Span::kNone) {
      result[static_cast<std::size_t>(span.parent)] -= span.duration();
    }
  }
  return result;
}

Figure figure(std::span<const RootDomain> roots, Nanoseconds duration,
              std::span<const EnergyShare> shares) {
  FigureBuilder builder(roots);
  builder.add(std::max(duration, Nanoseconds{0}), shares);
  return builder.build();
}

}  // namespace

Result<AttributedEnergy> attribute_energy(const AttributionRequest& request) {
  if (auto sound = check(request); !sound) {
    return std::unexpected(std::move(sound.error()));
  }
  AttributedEnergy result;
  std::vector<EnergyTimeline> timelines;
  std::vector<RootDomain> roots;
  std::vector<std::optional<Watts>> idle;
  for (std::size_t index = 0; index < request.domains.size(); ++index) {
    const Domain& domain = request.domains[index];
    EnergyTimeline timeline(request.windows[index], domain.stamp_error);
    result.rejected_windows += timeline.rejected_windows();
    if (domain.is_root()) {
      timelines.push_back(std::move(timeline));
      idle.push_back(request.idle_power.empty() ? std::nullopt : request.idle_power[index]);
      roots.push_back({.domain = &domain, .idle_power = idle.back(), .idle_error = std::nullopt});
    }
  }
  // One group per span: a group contains its spans' own time, without that of their children.
  std::vector<std::uint32_t> own(request.spans.size());
  for (std::size_t index = 0; index < own.size(); ++index) {
    own[index] = static_cast<std::uint32_t>(index);
  }
  const SpanGroups each{.of_span = own, .count = static_cast<std::uint32_t>(own.size())};
  const Attribution attribution =
      attribute(request.spans, timelines,
                {.classes = request.classes, .groupings = {&each, 1}, .idle_power = idle});
  result.mended_spans = attribution.mended_spans();
  const std::vector<Nanoseconds> durations = own_durations(request.spans);
  for (std::size_t index = 0; index < request.spans.size(); ++index) {
    result.spans.push_back(
        figure(roots, request.spans[index].duration(), attribution.shares(index)));
    result.own.push_back(figure(roots, durations[index], attribution.group(0, index)));
  }
  return result;
}

}  // namespace enprof
