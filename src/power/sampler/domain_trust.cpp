#include "power/sampler/domain_trust.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace enprof {
namespace {

using Indices = std::vector<std::size_t>;

struct Interval {
  Instant begin;
  Instant end;
};

bool contains(const Indices& indices, std::size_t index) {
  return std::ranges::find(indices, index) != indices.end();
}

/// Where a domain's windows cover [begin, end].
std::vector<Interval> covered(std::span<const EnergyWindow> windows, Instant begin, Instant end) {
  std::vector<Interval> result;
  for (const EnergyWindow& window : windows) {
    const Interval part{.begin = std::max(window.begin, begin), .end = std::min(window.end, end)};
    if (part.end <= part.begin) {
      continue;
    }
    if (!result.empty() && part.begin <= result.back().end) {
      result.back().end = std::max(result.back().end, part.end);
    } else {
      result.push_back(part);
    }
  }
  return result;
}

std::vector<Interval> in_both(const std::vector<Interval>& one,
                              const std::vector<Interval>& other) {
  std::vector<Interval> result;
  std::size_t at = 0;
  for (const Interval& first : one) {
    while (at < other.size() && other[at].end <= first.begin) {
      ++at;
    }
    for (std::size_t next = at; next < other.size() && other[next].begin < first.end; ++next) {
      result.push_back({.begin = std::max(first.begin, other[next].begin),
                        .end = std::min(first.end, other[next].end)});
    }
  }
  return result;
}

/// What a domain used in intervals that ascend, each window's energy taken to be spread evenly.
Joules energy_in(std::span<const EnergyWindow> windows, const std::vector<Interval>& intervals) {
  Joules energy;
  std::size_t at = 0;
  for (const Interval& interval : intervals) {
    while (at < windows.size() && windows[at].end <= interval.begin) {
      ++at;
    }
    for (std::size_t next = at; next < windows.size() && windows[next].begin < interval.end;
         ++next) {
      const EnergyWindow& window = windows[next];
      const Nanoseconds part =
          std::min(window.end, interval.end) - std::max(window.begin, interval.begin);
      energy += window.energy / window.duration() * part;
    }
  }
  return energy;
}

/// Whether it lacks nothing that a total of the machine needs where it has never counted: as many
/// machines do not have its counter at all.
bool may_be_missing(DomainKind kind) {
  switch (kind) {
    case DomainKind::core:
    case DomainKind::uncore:
    case DomainKind::dram:
    case DomainKind::ane:
      return true;
    case DomainKind::psys:
    case DomainKind::module:
    case DomainKind::package:
    case DomainKind::cpu:
    case DomainKind::gpu:
    case DomainKind::mig:
    case DomainKind::soc:
    case DomainKind::other:
      break;
  }
  return false;
}

class Judge {
 public:
  Judge(const std::vector<Domain>& domains, std::span<const DomainRecord> records,
        const TrustedTime& time)
      : records_(records), time_(time), result_{.domains = domains, .warnings = {}} {}

  TrustedDomains judge() {
    while (leave_out_a_whole()) {
    }
    leave_out_silent_parts();
    tell_silent_roots();
    tell_rails();
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::vector<Domain>& domains() { return result_.domains; }
  [[nodiscard]] const Domain& domain(std::size_t index) const { return result_.domains[index]; }

  /// False where there is none to leave out any more.
  bool leave_out_a_whole() {
    for (std::size_t index = 0; index < domains().size(); ++index) {
      if (domain(index).scope != DomainScope::unclear &&
          (leave_out_if_silent(index) || leave_out_if_below_parts(index))) {
        return true;
      }
    }
    return false;
  }

  bool leave_out_if_silent(std::size_t whole) {
    if (!is_silent(whole)) {
      return false;
    }
    Indices heirs = heirs_without({whole}, whole);
    std::erase_if(heirs, [&](std::size_t heir) { return !has_energy(heir, whole); });
    if (heirs.empty()) {
      return false;
    }
    warn(
        "domain_left_out",
        fmt::format("{} of {} shows no energy while {} in it {}: it is left out, and what lies in "
                    "it is counted",
                    domain(whole).name, domain(whole).source, names_of(heirs),
                    heirs.size() == 1 ? "does" : "do"),
        "The total lacks what only that sensor sees. Many machines list a counter that they do not "
        "have.");
    leave_out(whole);
    return true;
  }

  bool leave_out_if_below_parts(std::size_t whole) {
    Indices excluded{whole};
    for (std::size_t index = 0; index < domains().size(); ++index) {
      const bool is_twin = index != whole && domain(index).kind == domain(whole).kind &&
                           domain(index).parent == whole;
      if (is_twin) {
        excluded.push_back(index);
      }
    }
    Indices parts = heirs_without(excluded, whole);
    std::erase_if(parts, [&](std::size_t part) {
      return domain(part).method == Method::estimated ||
             covered(records_[part].windows, compared_from(), time_.end).empty();
    });
    if (parts.empty()) {
      return false;
    }
    Nanoseconds period = domain(whole).period;
    auto common = covered(records_[whole].windows, compared_from(), time_.end);
    for (const std::size_t part : parts) {
      period = std::max(period, domain(part).period);
      common = in_both(common, covered(records_[part].windows, compared_from(), time_.end));
    }
    Nanoseconds length{0};
    for (const Interval& interval : common) {
      length += interval.end - interval.begin;
    }
    if (length < std::max(kShortestComparison, kCompared * period)) {
      return false;
    }
    Joules sum;
    for (const std::size_t part : parts) {
      sum += energy_in(records_[part].windows, common);
    }
    const Joules of_whole = energy_in(records_[whole].windows, common);
    const Joules missed = sum / length * period;  // by a sensor that shows late what it sees
    if (of_whole + missed >= sum * (1.0 - kTolerance)) {
      return false;
    }
    warn("whole_below_parts",
         fmt::format("{} of {} says {:.4g} W while {} in it {} {:.4g} W: one of them is wrong. {} "
                     "is left out, and what lies in it is counted",
                     domain(whole).name, domain(whole).source, (of_whole / length).value(),
                     names_of(parts), parts.size() == 1 ? "says" : "together say",
                     (sum / length).value(), domain(whole).name),
         "Compare with a wall meter. Firmware that uses another unit than the driver is the usual "
         "cause.");
    leave_out(whole);
    return true;
  }

  [[nodiscard]] Instant compared_from() const {
    return std::max(time_.since, std::min(time_.begin, time_.end - kTrustLookBack));
  }

  /// What a domain contains, at the top: what would stand for it if it were not there.
  [[nodiscard]] Indices heirs_without(const Indices& excluded, std::size_t whole) const {
    Indices children;
    for (std::size_t index = 0; index < result_.domains.size(); ++index) {
      const Domain& child = domain(index);
      if (child.parent == whole && child.scope != DomainScope::unclear &&
          child.scope != DomainScope::rail && child.kind != DomainKind::mig &&
          !contains(excluded, index)) {
        children.push_back(index);
      }
    }
    if (children.empty()) {
      return {};  // of most domains: no copy of all is needed for them
    }
    std::vector<Domain> trial = result_.domains;
    for (const std::size_t index : excluded) {
      trial[index].scope = DomainScope::unclear;
    }
    link_parents(trial);
    Indices heirs;
    std::ranges::copy_if(children, std::back_inserter(heirs), [&](std::size_t child) {
      return !trial[child].parent || !contains(children, *trial[child].parent);
    });
    return heirs;
  }

  [[nodiscard]] Instant silent_from(std::size_t index) const {
    const Nanoseconds patience = std::max(kShortestSilence, kSilentWindows * domain(index).period);
    return std::min(time_.begin, time_.end - patience);
  }

  /// Whether it was watched for long enough and showed nothing.
  [[nodiscard]] bool is_silent(std::size_t index) const {
    return silent_from(index) >= time_.since && !has_energy(index, index);
  }

  /// Whether it showed energy in the time that decides about another one.
  [[nodiscard]] bool has_energy(std::size_t index, std::size_t other) const {
    const Instant from = silent_from(other);
    return std::ranges::any_of(records_[index].windows, [&](const EnergyWindow& window) {
      return window.energy > Joules{0} && window.end > from && window.begin < time_.end;
    });
  }

  [[nodiscard]] Indices roots_with_energy(std::size_t other) const {
    Indices result;
    for (std::size_t index = 0; index < result_.domains.size(); ++index) {
      if (index != other && domain(index).is_root() &&
          domain(index).scope != DomainScope::unclear && has_energy(index, other)) {
        result.push_back(index);
      }
    }
    return result;
  }

  void leave_out_silent_parts() {
    for (std::size_t index = 0; index < domains().size(); ++index) {
      if (domain(index).is_root() && domain(index).scope != DomainScope::unclear &&
          may_be_missing(domain(index).kind) && !records_[index].has_counted && is_silent(index) &&
          !roots_with_energy(index).empty()) {
        warn("domain_left_out",
             fmt::format("{} of {} has never shown any energy: it is left out of the total",
                         domain(index).name, domain(index).source),
             "Many machines list a counter that they do not have.");
        leave_out(index);
      }
    }
  }

  void tell_silent_roots() {
    for (std::size_t index = 0; index < domains().size(); ++index) {
      if (!domain(index).is_root() || domain(index).scope == DomainScope::unclear ||
          !is_silent(index)) {
        continue;
      }
      if (const Indices others = roots_with_energy(index); !others.empty()) {
        warn("domain_stands_still",
             fmt::format("{} of {} shows no energy while {} {}: what it used is missing from the "
                         "total, and from the coverage",
                         domain(index).name, domain(index).source, names_of(others),
                         others.size() == 1 ? "does" : "do"),
             "Look at it with enprof doctor, or choose other sources with --power.");
      }
    }
  }

  void tell_rails() {
    Indices rails;
    for (std::size_t index = 0; index < domains().size(); ++index) {
      if (domain(index).kind == DomainKind::other && domain(index).scope == DomainScope::unclear &&
          !lies_in_platform(index)) {
        rails.push_back(index);
      }
    }
    if (rails.empty()) {
      return;
    }
    const auto alone =
        std::ranges::find_if(rails, [&](std::size_t rail) { return domain(rail).is_root(); });
    if (alone == rails.end()) {
      warn("rails_not_added",
           fmt::format("It is not known what these rails of the board are part of: {}. They are "
                       "shown, and not added to the total",
                       names_of(rails)),
           kRailsHint);
    } else {
      warn("rails_not_added",
           fmt::format("It is not known which of these rails of the board contain which: {}. The "
                       "total is that of {} alone, and may be a part of what the board draws",
                       names_of(rails), domain(*alone).name),
           kRailsHint);
    }
  }

  [[nodiscard]] bool lies_in_platform(std::size_t index) const {
    std::optional<std::size_t> container = domain(index).parent;
    while (container && domain(*container).kind != DomainKind::psys) {
      container = domain(*container).parent;
    }
    return container.has_value();
  }

  [[nodiscard]] std::string names_of(const Indices& indices) const {
    std::vector<std::string_view> names;
    names.reserve(indices.size());
    for (const std::size_t index : indices) {
      names.push_back(domain(index).name);
    }
    return fmt::format("{}", fmt::join(names, " + "));
  }

  void leave_out(std::size_t index) {
    domains()[index].scope = DomainScope::unclear;
    link_parents(domains());
  }

  void warn(const char* code, std::string message, std::string hint) {
    result_.warnings.push_back({.component = "power",
                                .code = code,
                                .message = std::move(message),
                                .hint = std::move(hint)});
  }

  static constexpr const char* kRailsHint =
      "Which rails add up is known of some boards: docs/sensors.md, hwmon. Else measure at the "
      "board's input.";

  std::span<const DomainRecord> records_;
  TrustedTime time_;
  TrustedDomains result_;
};

}  // namespace

TrustedDomains trust_domains(const std::vector<Domain>& domains,
                             std::span<const DomainRecord> records, const TrustedTime& time) {
  return Judge(domains, records, time).judge();
}

}  // namespace enprof
