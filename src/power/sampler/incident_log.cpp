#include "power/sampler/incident_log.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace enprof {
namespace {

void join(IncidentLog::Incidents& first, const IncidentLog::Incidents& next) {
  first.end = next.end;
  first.count += next.count;
  first.duration += next.duration;
}

}  // namespace

void IncidentLog::add(Instant at, const Error& error, Nanoseconds duration) {
  if (entries_.size() == kCapacity) {
    // Merge the older half in pairs: an entry's span stays below a fixed share of its age.
    std::vector<Incidents> kept;
    kept.reserve(kCapacity);
    const std::size_t half = kCapacity / 2;
    for (std::size_t index = 0; index < half; index += 2) {
      join(entries_[index], entries_[index + 1]);
      kept.push_back(std::move(entries_[index]));
    }
    std::ranges::move(entries_.begin() + half, entries_.end(), std::back_inserter(kept));
    entries_ = std::move(kept);
  }
  entries_.push_back({.begin = at, .end = at, .count = 1, .duration = duration, .first = error});
}

std::optional<IncidentLog::Incidents> IncidentLog::since(Instant instant) const {
  std::optional<Incidents> result;
  for (const Incidents& entry : entries_) {
    if (entry.end < instant) {
      continue;
    }
    if (!result) {
      result = entry;
    } else {
      join(*result, entry);
    }
  }
  return result;
}

}  // namespace enprof
