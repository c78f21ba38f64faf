#include "power/sampler/window_store.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace enprof {
namespace {

constexpr std::size_t kSmallestCapacity = 256;  // four windows for each edge that may be kept

}  // namespace

void sort_by_begin(std::vector<EnergyWindow>& windows) {
  std::ranges::stable_sort(windows, {}, &EnergyWindow::begin);
}

WindowStore::WindowStore(const std::vector<Domain>& domains, std::size_t capacity)
    : capacity_(std::max(kSmallestCapacity, capacity / std::max<std::size_t>(1, domains.size()))),
      series_(domains.size()) {
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
  Series& series = series_[window.domain];
  if (series.windows.size() >= capacity_) {
    compact(series);
  }
  // Nearly always at the end: each source goes forward.
  auto place = series.windows.end();
  while (place != series.windows.begin() && std::prev(place)->begin > window.begin) {
    --place;
  }
  series.windows.insert(place, window);
  series.longest = std::max(series.longest, window.duration());

  Recent& recent = recent_[window.domain];
  recent.add(window);
  if (recent.is_root) {
    energy_ += window.energy;
    update_peak(window.end);
  }
  if (peak_ && window.begin < peak_end_ && window.end >= peak_end_) {
    // It is in when the peak has been noted: the domains of a source come one by one.
    peak_->by_domain[window.domain] = recent.power(window.end);
  }
  return true;
}

void WindowStore::keep_edge(Instant instant) {
  edges_.insert(std::ranges::upper_bound(edges_, instant), instant);
  if (edges_.size() > kEdges) {
    edges_.pop_front();
  }
}

// ---- what there is -----------------------------------------------------------------------------

std::vector<EnergyWindow> WindowStore::by_domain_between(Instant begin, Instant end) const {
  std::vector<EnergyWindow> result;
  for (const Series& series : series_) {
    const auto first =
        std::ranges::lower_bound(series.windows, begin - series.longest, {}, &EnergyWindow::begin);
    const auto last = std::ranges::lower_bound(series.windows, end, {}, &EnergyWindow::begin);
    if (first < last) {
      std::copy_if(first, last, std::back_inserter(result),
                   [&](const EnergyWindow& window) { return window.end > begin; });
    }
  }
  return result;
}

std::vector<EnergyWindow> WindowStore::between(Instant begin, Instant end) const {
  auto result = by_domain_between(begin, end);
  sort_by_begin(result);
  return result;
}

void WindowStore::forget_before(Instant instant) {
  for (Series& series : series_) {
    std::erase_if(series.windows, [&](const EnergyWindow& window) { return window.end < instant; });
    series.cursor = 0;
    if (series.windows.size() < capacity_ / 2) {
      series.limit = Nanoseconds{0};  // what comes is joined as finely as it can be
    }
  }
  std::erase_if(edges_, [&](Instant edge) { return edge < instant; });
}

void WindowStore::clear(Instant origin) {
  series_.assign(series_.size(), Series{});
  edges_.clear();
  origin_ = origin;
  energy_ = Joules{0};
  peak_.reset();
  for (Recent& recent : recent_) {
    recent.windows.clear();
  }
}

std::size_t WindowStore::size() const {
  std::size_t result = 0;
  for (const Series& series : series_) {
    result += series.windows.size();
  }
  return result;
}

// ---- power -------------------------------------------------------------------------------------

void WindowStore::Recent::add(const EnergyWindow& window) {
  windows.push_back(window);
  while (windows.size() > 1 && window.end - windows[1].begin >= kPowerSpan) {
    windows.pop_front();
  }
}

std::optional<Watts> WindowStore::Recent::power(Instant instant) const {
  if (windows.empty() || instant - windows.back().end > stale_after) {
    return std::nullopt;
  }
  Joules energy;
  Nanoseconds covered{0};
  for (const EnergyWindow& window : windows) {
    energy += window.energy;
    covered += window.duration();
  }
  return energy / covered;
}

std::optional<Watts> WindowStore::total(Instant instant) const {
  std::optional<Watts> result;
  for (const Recent& recent : recent_) {
    if (!recent.is_root) {
      continue;
    }
    const auto power = recent.power(instant);
    if (!power) {
      return std::nullopt;
    }
    result = result.value_or(Watts{0}) + *power;
  }
  return result;
}

PowerNow WindowStore::now(Instant instant) const {
  PowerNow result{.total = total(instant), .energy_since_start = energy_};
  result.by_domain.reserve(recent_.size());
  for (const Recent& recent : recent_) {
    result.by_domain.push_back(recent.power(instant));
  }
  return result;
}

void WindowStore::update_peak(Instant instant) {
  Nanoseconds length{0};
  for (const Recent& recent : recent_) {
    if (!recent.is_root) {
      continue;
    }
    if (recent.windows.empty()) {
      return;
    }
    const Nanoseconds span = recent.windows.back().end - recent.windows.front().begin;
    if (span < kPowerSpan) {
      return;  // a short window of a stepping counter says more about its steps
    }
    length = std::max(length, span);
  }
  const auto power = total(instant);
  if (!power || (peak_ && *power <= peak_->power)) {
    return;
  }
  peak_end_ = instant;
  peak_ = PeakPower{.power = *power, .at = instant - length / 2 - origin_, .window = length};
  peak_->by_domain.reserve(recent_.size());
  for (const Recent& recent : recent_) {
    peak_->by_domain.push_back(recent.power(instant));
  }
}

// ---- bounded memory ----------------------------------------------------------------------------

void WindowStore::compact(Series& series) const {
  const std::size_t goal = capacity_ - capacity_ / 8;
  const auto shortest = [&] {
    return std::ranges::min_element(series.windows, {}, &EnergyWindow::duration)->duration();
  };
  const Nanoseconds whole = series.windows.back().end - series.windows.front().begin;
  if (series.limit == Nanoseconds{0}) {
    series.limit = 3 * shortest();
    series.cursor = 0;
  }
  sweep(series, goal, false);
  while (series.windows.size() > goal && series.limit < 2 * whole) {
    series.limit *= 2;
    series.cursor = 0;
    sweep(series, goal, false);
  }
  if (series.windows.size() > goal) {
    series.limit = 3 * shortest();
    for (series.cursor = 0; series.windows.size() > goal && series.limit < 4 * whole;
         series.limit *= 2, series.cursor = 0) {
      sweep(series, goal, true);
    }
    series.limit = Nanoseconds{0};
  }
  series.longest =
      std::ranges::max_element(series.windows, {}, &EnergyWindow::duration)->duration();
}

void WindowStore::sweep(Series& series, std::size_t goal, bool move_gaps) const {
  auto& windows = series.windows;
  if (series.cursor + 1 >= windows.size()) {
    return;
  }
  std::size_t left = windows.size();
  std::size_t out = series.cursor;
  std::size_t next = out + 1;
  for (; next < windows.size() && left > goal; ++next) {
    EnergyWindow& window = windows[out];
    const EnergyWindow& neighbour = windows[next];
    const bool adjoins = window.end == neighbour.begin;
    const Nanoseconds length = window.duration() + neighbour.duration();
    if ((adjoins || move_gaps) && length <= series.limit &&
        !has_edge_in(window.begin, neighbour.end)) {
      window.energy += neighbour.energy;
      window.end = window.begin + length;
      window.stamp_error_ns = neighbour.stamp_error_ns;
      --left;
    } else {
      windows[++out] = neighbour;
    }
  }
  const bool all = next == windows.size();
  windows.erase(windows.begin() + static_cast<std::ptrdiff_t>(out + 1),
                windows.begin() + static_cast<std::ptrdiff_t>(next));
  series.cursor = all ? windows.size() : out;
}

bool WindowStore::has_edge_in(Instant begin, Instant end) const {
  const auto edge = std::ranges::upper_bound(edges_, begin);
  return edge != edges_.end() && *edge < end;
}

}  // namespace enprof
