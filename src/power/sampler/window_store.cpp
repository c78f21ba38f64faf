#include "power/sampler/window_store.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

constexpr std::size_t kSmallestCapacity = 256;  // four windows for each of kEdges edges

}  // namespace

WindowStore::WindowStore(const std::vector<Domain>& domains, std::size_t capacity)
    : domains_(domains),
      trusted_{.domains = domains, .warnings = {}},
      capacity_(std::max(kSmallestCapacity, capacity / std::max<std::size_t>(1, domains.size()))),
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
  // Nearly always the end, because the windows of a source come in the order of time.
  auto place = series.windows.end();
  while (place != series.windows.begin() && std::prev(place)->begin > window.begin) {
    --place;
  }
  series.windows.insert(place, window);
  series.longest = std::max(series.longest, window.duration());
  bool is_back = false;
  if (window.energy > Joules{0}) {
    is_back = !series.counted_at || *series.counted_at + kReviewed < window.end;
    series.counted_at = std::max(series.counted_at.value_or(window.end), window.end);
  }

  Recent& recent = recent_[window.domain];
  recent.add(window);
  review(window.end, is_back);
  if (recent.is_root) {
    energy_ += window.energy;
    update_peak(window.end);
  }
  if (peak_ && window.begin < peak_end_ && window.end >= peak_end_) {
    // The domains of a source come one after the other, so this one's power was not known yet when
    // the peak was set.
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

// ---- windows -----------------------------------------------------------------------------------

std::span<const EnergyWindow> WindowStore::Series::around(Instant begin, Instant end) const {
  const auto first = std::ranges::lower_bound(windows, begin - longest, {}, &EnergyWindow::begin);
  const auto last = std::ranges::lower_bound(windows, end, {}, &EnergyWindow::begin);
  return first < last ? std::span(first, last) : std::span<const EnergyWindow>{};
}

WindowsByDomain WindowStore::between(Instant begin, Instant end) const {
  WindowsByDomain result(series_.size());
  for (std::size_t domain = 0; domain < series_.size(); ++domain) {
    const std::span<const EnergyWindow> around = series_[domain].around(begin, end);
    result[domain].reserve(around.size());
    std::ranges::copy_if(around, std::back_inserter(result[domain]),
                         [&](const EnergyWindow& window) { return window.end > begin; });
  }
  return result;
}

const EnergyWindow* WindowStore::latest(std::size_t domain) const {
  const std::vector<EnergyWindow>& windows = series_[domain].windows;
  return windows.empty() ? nullptr : &windows.back();
}

void WindowStore::forget_before(Instant instant) {
  kept_since_ = std::max(kept_since_, instant);
  for (Series& series : series_) {
    std::erase_if(series.windows, [&](const EnergyWindow& window) { return window.end < instant; });
    series.cursor = 0;
    if (series.windows.size() < capacity_ / 2) {
      series.limit = Nanoseconds{0};  // there is room again: start with the shortest limit
    }
  }
  std::erase_if(edges_, [&](Instant edge) { return edge < instant; });
}

void WindowStore::clear(Instant origin) {
  series_.assign(series_.size(), Series{});
  edges_.clear();
  origin_ = origin;
  kept_since_ = origin;
  reviewed_at_ = origin;
  trusted_ = {.domains = domains_, .warnings = {}};
  news_.clear();
  energy_ = Joules{0};
  peak_.reset();
  for (std::size_t index = 0; index < recent_.size(); ++index) {
    recent_[index].windows.clear();
    recent_[index].is_root = domains_[index].is_root();
  }
}

std::size_t WindowStore::size() const {
  std::size_t result = 0;
  for (const Series& series : series_) {
    result += series.windows.size();
  }
  return result;
}

// ---- trust -------------------------------------------------------------------------------------

TrustedDomains WindowStore::trusted_domains(Instant begin, Instant end) const {
  const Instant since = std::max(kept_since_, std::min(begin, end - kTrustLookBack));
  std::vector<DomainRecord> records;
  records.reserve(series_.size());
  for (const Series& series : series_) {
    records.push_back(
        {.windows = series.around(since, end), .has_counted = series.counted_at.has_value()});
  }
  return trust_domains(domains_, records,
                       {.since = since, .begin = std::max(begin, since), .end = end});
}

std::vector<Warning> WindowStore::take_news() { return std::exchange(news_, {}); }

void WindowStore::review(Instant instant, bool is_due) {
  if ((!is_due && instant - reviewed_at_ < kReview) || instant - origin_ < kReviewed) {
    return;
  }
  reviewed_at_ = instant;
  TrustedDomains trusted = trusted_domains(instant - kReviewed, instant);
  for (const Warning& warning : trusted.warnings) {
    if (std::ranges::find(trusted_.warnings, warning.code, &Warning::code) ==
        trusted_.warnings.end()) {
      news_.push_back(warning);
    }
  }
  for (std::size_t index = 0; index < recent_.size(); ++index) {
    const bool is_root = trusted.domains[index].is_root();
    if (is_root && !recent_[index].is_root) {
      energy_ += energy_of_heir(index);
    }
    recent_[index].is_root = is_root;
  }
  trusted_ = std::move(trusted);
}

Joules WindowStore::energy_of_heir(std::size_t heir) const {
  std::size_t root = heir;
  while (trusted_.domains[root].parent) {
    root = *trusted_.domains[root].parent;
  }
  const Instant since = series_[root].counted_at.value_or(origin_);
  Joules energy;
  for (const EnergyWindow& window : series_[heir].windows) {
    // The last one is about to be added: it has been the reason to ask.
    if (window.begin >= since && window.end < reviewed_at_) {
      energy += window.energy;
    }
  }
  return energy;
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

std::optional<Watts> WindowStore::power_of_roots(Instant instant) const {
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
  PowerNow result{.total = power_of_roots(instant), .energy_since_start = energy_};
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
      return;  // in a short window of a counter that steps, power depends on the steps
    }
    length = std::max(length, span);
  }
  const auto power = power_of_roots(instant);
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
  join_pairs(series, goal, false);
  while (series.windows.size() > goal && series.limit < 2 * whole) {
    series.limit *= 2;
    series.cursor = 0;
    join_pairs(series, goal, false);
  }
  if (series.windows.size() > goal) {
    series.limit = 3 * shortest();
    for (series.cursor = 0; series.windows.size() > goal && series.limit < 4 * whole;
         series.limit *= 2, series.cursor = 0) {
      join_pairs(series, goal, true);
    }
    series.limit = Nanoseconds{0};
  }
  series.longest =
      std::ranges::max_element(series.windows, {}, &EnergyWindow::duration)->duration();
}

void WindowStore::join_pairs(Series& series, std::size_t goal, bool move_gaps) const {
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
      window.unseen_permille = std::max(window.unseen_permille, neighbour.unseen_permille);
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
