#include "enprof/model/event.hpp"

#include <array>

namespace enprof {

std::string_view to_string(EventType type) noexcept {
  constexpr std::array<std::string_view, 10> kNames{
      "run_started",       "section_start",      "section_end",    "token_complete",
      "power_sample",      "inference_complete", "energy_settled", "layer_metrics",
      "component_metrics", "operation_metrics"};
  const auto index = static_cast<std::size_t>(type);
  return index < kNames.size() ? kNames[index] : std::string_view{"unknown"};
}

}  // namespace enprof
