#include "profile/assemble/domain_timelines.hpp"

namespace enprof {

DomainTimelines::DomainTimelines(const PowerEvidence& power) : power_(power) {
  const std::vector<Domain>& domains = power_.domains;
  timelines_.reserve(domains.size());
  timeline_of_.resize(domains.size());
  for (const bool root : {true, false}) {
    for (std::size_t index = 0; index < domains.size(); ++index) {
      if (domains[index].is_root() != root) {
        continue;
      }
      timeline_of_[index] = timelines_.size();
      timelines_.emplace_back(windows_of(index), domains[index].stamp_error);
      rejected_windows_ += timelines_.back().rejected_windows();
      if (root) {
        root_domains_.push_back(alone(index));
        idle_powers_.push_back(root_domains_.back().idle_power);
      }
    }
  }
}

std::size_t DomainTimelines::largest_root(Instant begin, Instant end) const {
  const std::span<const EnergyTimeline> timelines = roots();
  std::size_t largest = 0;
  Joules most{0.0};
  for (std::size_t root = 0; root < timelines.size(); ++root) {
    if (const Joules energy = timelines[root].share(begin, end).energy; energy > most) {
      largest = root;
      most = energy;
    }
  }
  return largest;
}

std::span<const EnergyWindow> DomainTimelines::windows_of(std::size_t domain) const {
  return domain < power_.windows.size() ? std::span<const EnergyWindow>(power_.windows[domain])
                                        : std::span<const EnergyWindow>{};
}

RootDomain DomainTimelines::alone(std::size_t domain) const {
  RootDomain result{
      .domain = &power_.domains[domain], .idle_power = std::nullopt, .idle_error = std::nullopt};
  if (power_.baseline && power_.baseline->domains[domain]) {
    const IdleBaseline::DomainIdle& idle = *power_.baseline->domains[domain];
    result.idle_power = idle.power;
    result.idle_error = idle_error(idle.spread, idle.windows);
  }
  return result;
}

std::optional<Watts> mean_power(const EnergyTimeline& timeline, Instant from, Instant to) {
  const EnergyShare share = timeline.share(from, to);
  if (share.covered + Nanoseconds{1} < to - from) {  // 1 ns: coverage is rounded
    return std::nullopt;
  }
  return share.energy / (to - from);
}

}  // namespace enprof
