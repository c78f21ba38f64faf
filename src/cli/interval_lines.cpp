#include "cli/interval_lines.hpp"

#include "cli/live_line.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

std::string requests_so_far(const RequestsSoFar& before, const RequestsSoFar& now,
                            Nanoseconds between, std::optional<Joules> energy,
                            std::string_view mark) {
  if (now.passes == 0) {
    return {};
  }
  std::string text = fmt::format("{} of {} requests in flight", now.in_flight, now.requests);
  if (between > Nanoseconds{0}) {
    // A draft of the interval before may have been rejected since.
    const std::size_t tokens =
        now.output_tokens - std::min(now.output_tokens, before.output_tokens);
    text += fmt::format(" · {:.1f} tokens/s", static_cast<double>(tokens) / seconds(between));
  }
  if (const double pass_s = now.pass_s - before.pass_s; pass_s > 0.0) {
    text +=
        fmt::format(" · {:.1f} sequences a pass", (now.sequence_s - before.sequence_s) / pass_s);
  }
  if (energy && now.output_tokens > 0) {
    text += fmt::format(" · {}{}/token", mark,
                        format_energy(*energy / static_cast<double>(now.output_tokens)));
  }
  return text;
}

void IntervalLines::begin(PowerMonitor* power) {
  power_ = power;
  told_ = monotonic_clock().now();
  energy_ = Joules{0};
  last_ = Nanoseconds{0};
  before_ = {};
}

std::string IntervalLines::line(Nanoseconds since) {
  std::string line = fmt::format("{:.3f} s", seconds(since));
  std::string_view mark;
  std::optional<Joules> energy;
  if (power_ != nullptr) {
    const std::optional<Watts> power = advance();
    mark = is_estimated(*power_) ? "~" : "";
    line += power ? fmt::format(" · {}{} · {}{}", mark, format_power(*power), mark,
                                format_energy(energy_))
                  : fmt::format(" · {0} · {0}", kAbsent);
    energy = energy_ > Joules{0} ? std::optional{energy_} : std::nullopt;
  }
  const RequestsSoFar now = requests_.so_far(monotonic_clock().now());
  const std::string requests = requests_so_far(before_, now, since - last_, energy, mark);
  before_ = now;
  last_ = since;
  return requests.empty() ? line : line + " · " + requests;
}

/// Goes on to the instant up to which all roots have windows, and adds their energy. Returns
/// their mean power; empty if one of them has told nothing new.
std::optional<Watts> IntervalLines::advance() {
  const std::vector<Domain> domains = power_->trusted_domains().domains;
  const Instant now = monotonic_clock().now();
  const WindowsByDomain windows = power_->windows(told_, now);
  std::optional<Instant> until;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    if (domains[index].is_root()) {
      // A recording may be ahead of its time.
      const Instant last =
          windows[index].empty() ? told_ : std::min(windows[index].back().end, now);
      until = std::min(until.value_or(last), last);
    }
  }
  if (!until || *until <= told_) {
    return std::nullopt;
  }
  Joules sum;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    for (const EnergyWindow& window : windows[index]) {
      const Nanoseconds part = std::min(window.end, *until) - std::max(window.begin, told_);
      if (domains[index].is_root() && part > Nanoseconds{0}) {
        sum += window.energy * (seconds(part) / seconds(window.duration()));
      }
    }
  }
  energy_ += sum;
  return sum / (*until - std::exchange(told_, *until));
}

}  // namespace enprof
