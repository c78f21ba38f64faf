#include "cli/live_line.hpp"

#include "report/format.hpp"

#include <fmt/format.h>

#include <memory>

namespace enprof {
namespace {

constexpr Nanoseconds kRefresh = std::chrono::milliseconds{100};

}  // namespace

void LiveLine::follow(InferencePipelineProfiler& profiler) {
  if (stderr_is_terminal()) {  // a listener costs a thread: none where nobody would see it
    profiler.on([line = std::make_shared<LiveLine>()](const Event& event) { line->hear(event); });
  }
}

void LiveLine::hear(const Event& event) {
  switch (event.type) {
    case EventType::section_start:
      phase_ = event.phase;
      break;
    case EventType::token_complete:
      ++tokens_;
      last_token_ = event.at;
      if (tokens_ == 1) {
        first_token_ = event.at;
      }
      break;
    case EventType::power_sample:
      power_ = event.power;
      energy_ = event.energy;
      if (tokens_ > 0 && !energy_at_first_) {
        energy_at_first_ = energy_;
        tokens_at_first_ = tokens_;
      }
      break;
    case EventType::inference_complete:
      status_.clear();
      return;
    case EventType::run_started:
    case EventType::section_end:
    case EventType::energy_settled:
    case EventType::layer_metrics:
    case EventType::component_metrics:
    case EventType::operation_metrics:
      break;
  }
  if (event.at - last_shown_ < kRefresh) {
    return;
  }
  last_shown_ = event.at;
  std::string text = fmt::format("{} · {} tokens", to_string(phase_), tokens_);
  if (tokens_ > 1 && last_token_ > first_token_) {
    const auto decoded = static_cast<double>(tokens_ - 1);
    text += fmt::format(" · {:.1f} tokens/s", decoded / seconds(last_token_ - first_token_));
    if (energy_ && energy_at_first_ && tokens_ > tokens_at_first_) {
      text += fmt::format(" · {}/token",
                          format_energy((*energy_ - *energy_at_first_) /
                                        static_cast<double>(tokens_ - tokens_at_first_)));
    }
  }
  text += fmt::format(" · {}", format_power(power_));
  status_.show(text);
}

}  // namespace enprof
