// What happens during a run, as it happens.
#pragma once

#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

enum class EventType : std::uint8_t {
  run_started,
  section_start,
  section_end,
  token_complete,
  power_sample,
  inference_complete,
};
[[nodiscard]] ENPROF_API std::string_view to_string(EventType type) noexcept;

/// Power of one domain; empty while unknown.
struct RailPower {
  std::string domain;
  std::optional<Watts> power;
};

/// One event. Fields that its type does not use are at their defaults.
struct Event {
  EventType type = EventType::run_started;
  std::string run_id;
  Nanoseconds at{0};  ///< since the run began
  Phase phase = Phase::pre_inference;
  std::string section;             ///< section_start, section_end
  Nanoseconds duration{0};         ///< section_end, token_complete, inference_complete
  std::size_t token = 0;           ///< token_complete: its index
  std::string text;                ///< token_complete
  std::optional<Watts> power;      ///< power_sample: of the roots; empty while unknown
  std::vector<RailPower> rails{};  ///< power_sample: of each domain
  /// power_sample: of the roots since the run began, provisional; inference_complete: final.
  std::optional<Joules> energy;
  RunStatus status = RunStatus::running;  ///< inference_complete
};

}  // namespace enprof
