#include "power/window_store.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {

WindowStore::WindowStore(const std::vector<Domain>& domains) {
  recent_.reserve(domains.size());
  for (const Domain& domain : domains) {
    recent_.push_back({.windows = {},
                       .stale_after = std::max(kStale, 3 * domain.period),
                       .is_root = domain.is_root()});
  }
}

bool WindowStore::add(const EnergyWindow& window) {
  if (window.domain >= recent_.size() || window.end <= window.begin ||
      !std::isfinite(window.energy.value()) || window.energy < Joules{0}) {
    return false;
  }
  // Nearly always at the end: sources are read in turn, and each goes forward.
  auto place = windows_.end();
  while (place != windows_.begin() && std::prev(place)->begin > window.begin) {
    --place;
  }
  windows_.insert(place, window);
  longest_ = std::max(longest_, window.duration());

  Recent& recent = recent_[window.domain];
  recent.windows.push_back(window);
  while (recent.windows.size() > 1 && window.end - recent.windows[1].begin >= kPowerSpan) {
    recent.windows.pop_front();
  }
  if (recent.is_root) {
    energy_ += window.energy;
  }
  return true;
}

std::vector<EnergyWindow> WindowStore::between(Instant begin, Instant end) const {
  std::vector<EnergyWindow> result;
  auto window = std::ranges::lower_bound(windows_, begin - longest_, {}, &EnergyWindow::begin);
  for (; window != windows_.end() && window->begin < end; ++window) {
    if (window->end > begin) {
      result.push_back(*window);
    }
  }
  return result;
}

void WindowStore::forget_before(Instant instant) {
  std::erase_if(windows_, [&](const EnergyWindow& window) { return window.end < instant; });
}

void WindowStore::clear() {
  windows_.clear();
  longest_ = Nanoseconds{0};
  energy_ = Joules{0};
  for (Recent& recent : recent_) {
    recent.windows.clear();
  }
}

PowerNow WindowStore::now(Instant instant) const {
  PowerNow result{.total = std::nullopt, .energy_since_start = energy_};
  Watts total;
  bool any = false;
  for (const Recent& recent : recent_) {
    if (!recent.is_root) {
      continue;
    }
    if (recent.windows.empty() || instant - recent.windows.back().end > recent.stale_after) {
      return result;
    }
    Joules energy;
    Nanoseconds covered{0};
    for (const EnergyWindow& window : recent.windows) {
      energy += window.energy;
      covered += window.duration();
    }
    total += energy / covered;
    any = true;
  }
  if (any) {
    result.total = total;
  }
  return result;
}

}  // namespace enprof
