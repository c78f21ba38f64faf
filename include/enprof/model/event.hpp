// What happens during a run, as it happens.
#pragma once

#include "enprof/base/export.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/names.hpp"
#include "enprof/model/profiled_run.hpp"

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
  energy_settled,  ///< only where ProfilerOptions::settle_period asks for it, as the others below
  layer_metrics,   ///< depth module and deep
  component_metrics,  ///< depth module and deep
  operation_metrics,  ///< depth deep
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
  /// energy_settled: tokens that all sensors have reached, each once, without their texts. Their
  /// energies come from windows that have arrived and do not wait for more; what may still change
  /// until the run's end is how windows are shared out between neighbours, for what each kind of
  /// work draws is then known better, and the baseline is taken off only then.
  std::vector<TokenFigure> tokens;
  /// layer_metrics, component_metrics, operation_metrics: all so far, up to the last settled token;
  /// each event replaces the one before it. Operations: since somebody wanted them.
  std::vector<LayerFigure> layers;
  std::vector<ComponentFigure> components;  ///< without flops and bytes
  std::vector<OperationFigure> operations;  ///< without flops and bytes
};

}  // namespace enprof
