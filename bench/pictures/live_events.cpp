#include "bench/pictures/live_events.hpp"

#include "enprof/base/units.hpp"
#include "enprof/model/event.hpp"

#include "live/event_hub.hpp"
#include "server/live_publisher.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace enprof::pictures {
namespace {

constexpr Nanoseconds kPowerPeriod = std::chrono::milliseconds{100};

/// What sensors had told by then.
events::PowerSample power_at(const PowerFigures& power, Nanoseconds at) {
  events::PowerSample sample;
  for (const DomainFigure& domain : power.domains) {
    sample.rails.push_back({domain.domain.name, std::nullopt});
  }
  Joules energy{0.0};
  for (const PowerSample& window : power.samples) {
    if (window.end > at || window.end <= Nanoseconds{0}) {
      continue;
    }
    sample.rails[window.domain].power = window.energy / (window.end - window.begin);
    if (power.domains[window.domain].domain.is_root()) {
      const Nanoseconds inside = window.end - std::max(window.begin, Nanoseconds{0});
      energy += *sample.rails[window.domain].power * inside;
    }
  }
  Watts total{0.0};
  bool all_known = true;
  for (std::size_t index = 0; index < power.domains.size(); ++index) {
    if (power.domains[index].domain.is_root()) {
      all_known = all_known && sample.rails[index].power.has_value();
      total += sample.rails[index].power.value_or(Watts{0.0});
    }
  }
  if (all_known) {
    sample.power = total;
    sample.energy = energy;
  }
  return sample;
}

}  // namespace

std::string live_events(const ProfiledRun& run, std::size_t provisional) {
  const auto end_of = [](const TokenFigure& token) { return token.begin + token.figure.duration; };
  const Nanoseconds end = run.tokens.empty() ? Nanoseconds{0} : end_of(run.tokens.back());
  std::vector<Event> told;
  const auto tell = [&](Nanoseconds at, EventData data) {
    told.push_back({.run_id = run.run_id, .at = at, .data = std::move(data)});
  };
  tell(Nanoseconds{0}, events::RunStarted{});
  for (const PhaseFigure& phase : run.phases) {
    if (phase.begin < end) {
      tell(phase.begin, events::SectionStart{.phase = phase.phase, .section = "forward"});
    }
  }
  for (Nanoseconds at = kPowerPeriod; at <= end; at += kPowerPeriod) {
    tell(at, power_at(run.power, at));
  }
  for (const TokenFigure& token : run.tokens) {
    tell(end_of(token), events::TokenComplete{.phase = token.phase,
                                              .index = token.index,
                                              .text = token.text,
                                              .duration = token.figure.duration});
  }
  std::ranges::stable_sort(told, {}, &Event::at);
  const auto settled = run.tokens.size() - std::min(run.tokens.size(), provisional);
  tell(end, events::EnergySettled{
                {run.tokens.begin(),
                 std::next(run.tokens.begin(), static_cast<std::ptrdiff_t>(settled))}});
  tell(end, events::LayerMetrics{run.layers});
  tell(end, events::ComponentMetrics{run.components});

  EventHub hub;
  LivePublisher publisher(hub);
  publisher.publish_loading(run.run_id, run.model.name, 1.0);
  for (const Event& event : told) {
    publisher.publish(event);
  }
  std::string result;
  for (const auto& event : hub.read(0, told.size() + 1).events) {
    result += (result.empty() ? "[" : ",\n") + event->json;
  }
  return result + "]\n";
}

}  // namespace enprof::pictures
