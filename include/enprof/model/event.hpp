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
#include <type_traits>
#include <variant>
#include <vector>

namespace enprof {

/// In the order of EventData: each is the type of the alternative at its place.
enum class EventType : std::uint8_t {
  run_started,
  section_start,
  section_end,
  token_complete,
  power_sample,
  inference_complete,
  energy_settled,
  layer_metrics,
  component_metrics,
  operation_metrics,
};
[[nodiscard]] ENPROF_API std::string_view to_string(EventType type) noexcept;

/// Power of one domain; empty while unknown.
struct RailPower {
  std::string domain;
  std::optional<Watts> power{};
};

/// What each kind of event says. Those from EnergySettled on come only where
/// ProfilerOptions::settle_period asks for them.
namespace events {

/// The first event of a run.
struct RunStarted {};

/// A section has begun. Comes when the listener's thread delivers it, not at once.
struct SectionStart {
  Phase phase = Phase::pre_inference;
  std::string section;
};

/// A section has ended.
struct SectionEnd {
  Phase phase = Phase::pre_inference;
  std::string section;
  Nanoseconds duration{0};
};

/// A token has been computed.
struct TokenComplete {
  Phase phase = Phase::decode;
  std::size_t index = 0;
  std::string text;  ///< may end in the middle of a UTF-8 character
  Nanoseconds duration{0};
};

/// What the machine draws: ten times a second, where there are sensors.
struct PowerSample {
  std::optional<Watts> power{};    ///< of the root domains together; empty while unknown
  std::vector<RailPower> rails{};  ///< of each domain
  std::optional<Joules> energy{};  ///< of the root domains since the run began, provisional
};

/// The last event of a run.
struct InferenceComplete {
  RunStatus status = RunStatus::completed;
  Nanoseconds duration{0};
  std::optional<Joules> energy{};  ///< of the whole run, as it is saved
};

/// Tokens that all sensors have reached, each once, without their texts. Their energies come from
/// windows that have arrived and do not wait for more. What may still change until the run's end is
/// how windows are shared out between neighbours, as what each kind of work draws is known better
/// then; and the baseline is taken off only then.
struct EnergySettled {
  std::vector<TokenFigure> tokens;
};

/// What each layer has used up to the last settled token; replaces the event before it. At depth
/// module and deep.
struct LayerMetrics {
  std::vector<LayerFigure> layers;
};

/// The same for components, without flops and bytes. At depth module and deep.
struct ComponentMetrics {
  std::vector<ComponentFigure> components;
};

/// The same for operations, without flops and bytes, since ProfilerOptions::wants_operations said
/// so. At depth deep.
struct OperationMetrics {
  std::vector<OperationFigure> operations;
};

}  // namespace events

using EventData =
    std::variant<events::RunStarted, events::SectionStart, events::SectionEnd,
                 events::TokenComplete, events::PowerSample, events::InferenceComplete,
                 events::EnergySettled, events::LayerMetrics, events::ComponentMetrics,
                 events::OperationMetrics>;

/// One event of a run. A listener picks what it wants:
///
///     profiler.on([](const enprof::Event& event) {
///       if (const auto* token = event.get_if<enprof::events::TokenComplete>()) {
///         std::cout << token->text << std::flush;
///       }
///     });
///
/// or handles all kinds with std::visit on `data`.
struct Event {
  std::string run_id;
  Nanoseconds at{0};  ///< since the run began
  EventData data;

  [[nodiscard]] EventType type() const noexcept { return static_cast<EventType>(data.index()); }
  /// What the event says, where it is of that kind; else null.
  template <class Data>
  [[nodiscard]] const Data* get_if() const noexcept {
    return std::get_if<Data>(&data);
  }
};

}  // namespace enprof
