#include "power/sampler/sample_book.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <cstdint>
#include <ranges>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

}  // namespace

std::size_t SampleBook::add(Place place, std::vector<EnergyWindow>& windows,
                            std::vector<SensorReading>& readings) {
  const auto is_ours = [&](auto& each) {
    if (each.domain >= place.count) {
      return false;
    }
    each.domain = static_cast<std::uint16_t>(place.first + each.domain);
    return true;
  };
  if (windows.empty() && readings.empty()) {
    return 0;
  }
  std::size_t refused = 0;
  std::optional<Error> failure;
  std::vector<Warning> news;
  {
    const std::lock_guard lock(mutex_);
    refused = std::erase_if(
        windows, [&](EnergyWindow& window) { return !is_ours(window) || !windows_.add(window); });
    refused += std::erase_if(readings, [&](SensorReading& reading) {
      return !is_ours(reading) || !readings_.add(reading);
    });
    if (recording_) {
      failure = recording_->add(windows, origin_);
    }
    news = windows_.take_news();
  }
  added_.notify_all();
  for (const Warning& warning : news) {
    kLog.warning("{}. {}", warning.message, warning.hint);
  }
  if (failure) {
    kLog.error("{}", failure->message);
  }
  return refused;
}

void SampleBook::clear(Instant origin) {
  const std::lock_guard lock(mutex_);
  windows_.clear(origin);
  readings_.clear();
  failed_recordings_ = {};
  origin_ = origin;
}

void SampleBook::keep_edge(Instant instant) {
  const std::lock_guard lock(mutex_);
  windows_.keep_edge(instant);
}

void SampleBook::forget_before(Instant instant) {
  const std::lock_guard lock(mutex_);
  windows_.forget_before(instant);
  readings_.forget_before(instant);
}

WindowsByDomain SampleBook::windows(Instant begin, Instant end) const {
  const std::lock_guard lock(mutex_);
  return windows_.between(begin, end);
}

std::vector<SensorReading> SampleBook::readings(Instant begin, Instant end) const {
  const std::lock_guard lock(mutex_);
  return readings_.between(begin, end);
}

bool SampleBook::wait_for_windows(Place place, Instant instant, Nanoseconds reach,
                                  std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  const auto is_there = [&](std::size_t domain) {
    const EnergyWindow* latest = windows_.latest(domain);
    return latest == nullptr || latest->begin >= instant || latest->end < instant - reach;
  };
  return added_.wait_until(lock, deadline, [&] {
    return std::ranges::all_of(std::views::iota(place.first, place.first + place.count), is_there);
  });
}

TrustedDomains SampleBook::trusted_domains(Instant begin, Instant end) const {
  const std::lock_guard lock(mutex_);
  return windows_.trusted_domains(begin, end);
}

PowerNow SampleBook::now(Instant instant) const {
  const std::lock_guard lock(mutex_);
  return windows_.now(instant);
}

std::optional<PeakPower> SampleBook::peak() const {
  const std::lock_guard lock(mutex_);
  return windows_.peak();
}

void SampleBook::record_to(std::unique_ptr<RecordingQueue> recording, Nanoseconds patience) {
  std::unique_ptr<RecordingQueue> last;
  {
    const std::lock_guard lock(mutex_);
    last = std::exchange(recording_, std::move(recording));
  }
  if (!last) {
    return;
  }
  last->end(patience);
  if (const auto failure = last->failure()) {
    const std::lock_guard lock(mutex_);
    failed_recordings_.add(failure->at, failure->error);
  }
}

std::vector<Warning> SampleBook::warnings(Instant since) const {
  const std::lock_guard lock(mutex_);
  std::optional<Error> failure;
  if (const auto ended = failed_recordings_.since(since)) {
    failure = ended->first;
  } else if (const auto now = recording_ ? recording_->failure() : std::nullopt;
             now && now->at >= since) {
    failure = now->error;
  }
  if (!failure) {
    return {};
  }
  return {{.component = "power",
           .code = "recording_failed",
           .message = failure->message,
           .hint = failure->hint}};
}

}  // namespace enprof
