#include "cli/live_line.hpp"

#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace enprof {
namespace {

constexpr Nanoseconds kRefresh = std::chrono::milliseconds{100};

/// Seconds with tenths: more digits would only flicker.
std::string elapsed_text(Nanoseconds elapsed) {
  return seconds(elapsed) < 100.0 ? fmt::format("{:.1f} s", seconds(elapsed))
                                  : format_duration(elapsed);
}

}  // namespace

std::string live_line(const LiveFigures& figures, std::size_t columns) {
  const auto marked = [&figures](const auto& figure) {
    return figures.is_estimated && figure ? "~" : "";
  };
  // In the order of display. The number is the priority: 0 is dropped last.
  std::array<std::pair<std::string, int>, 7> parts{{
      {std::string{to_string(figures.phase)}, 6},
      {figures.most_tokens > 0 ? fmt::format("{}/{} tokens", figures.tokens, figures.most_tokens)
                               : fmt::format("{} tokens", figures.tokens),
       1},
      {elapsed_text(figures.elapsed), 4},
      {figures.tokens_per_second ? fmt::format("{:.1f} tokens/s", *figures.tokens_per_second) : "",
       3},
      {marked(figures.energy) + format_energy(figures.energy), 0},
      {figures.energy_per_token
           ? marked(figures.energy_per_token) + format_energy(figures.energy_per_token) + "/token"
           : "",
       5},
      {marked(figures.power) + format_power(figures.power), 2},
  }};
  for (int leaving = 6;; --leaving) {
    std::string line;
    for (const auto& [text, place] : parts) {
      if (!text.empty() && place <= leaving) {
        line += (line.empty() ? "" : " · ") + text;
      }
    }
    if (leaving == 0 || display_width(line) <= columns) {
      return line;
    }
  }
}

bool is_estimated(const PowerMonitor& monitor) {
  return std::ranges::any_of(monitor.domains(), [](const Domain& domain) {
    return !domain.parent && domain.method == Method::estimated;
  });
}

void LiveLine::attach(InferencePipelineProfiler& profiler, const PowerMonitor* monitor,
                      std::size_t most_tokens) {
  auto line = std::make_shared<LiveLine>();
  line->figures_.most_tokens = most_tokens;
  line->figures_.is_estimated = monitor != nullptr && is_estimated(*monitor);
  if (line->status_.is_shown()) {  // a listener costs a thread
    profiler.on([line = std::move(line)](const Event& event) { line->show(event); });
  }
}

void LiveLine::show(const Event& event) {
  if (event.get_if<events::InferenceComplete>() != nullptr) {
    status_.clear();
    return;
  }
  if (const auto* const section = event.get_if<events::SectionStart>()) {
    figures_.phase = section->phase;
  } else if (event.get_if<events::TokenComplete>() != nullptr) {
    ++figures_.tokens;
    last_token_ = event.at;
    if (figures_.tokens == 1) {
      first_token_ = event.at;
    }
  } else if (const auto* const sample = event.get_if<events::PowerSample>()) {
    figures_.power = sample->power;
    figures_.energy = sample->energy;
    if (figures_.tokens > 0 && !energy_at_first_) {
      energy_at_first_ = figures_.energy;
      tokens_at_first_ = figures_.tokens;
    }
  }
  figures_.elapsed = std::max(figures_.elapsed, event.at);
  if (event.at - last_shown_ < kRefresh) {
    return;
  }
  last_shown_ = event.at;
  if (figures_.tokens > 1 && last_token_ > first_token_) {
    figures_.tokens_per_second =
        static_cast<double>(figures_.tokens - 1) / seconds(last_token_ - first_token_);
    if (figures_.energy && energy_at_first_ && figures_.tokens > tokens_at_first_) {
      figures_.energy_per_token = (*figures_.energy - *energy_at_first_) /
                                  static_cast<double>(figures_.tokens - tokens_at_first_);
    }
  }
  status_.show(live_line(figures_, status_.columns()));
}

}  // namespace enprof
