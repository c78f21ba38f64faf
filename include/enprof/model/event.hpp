// The events of a run, as they happen.
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

/// In the order of EventData: each is the type of the alternative with the same index.
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

/// Power of one domain; empty while it is unknown.
struct RailPower {
  std::string domain;
  std::optional<Watts> power{};
};

/// The data of each kind of event. EnergySettled and the kinds below it are sent only if
/// ProfilerOptions::settle_period asks for them.
namespace events {

/// The first event of a run.
struct RunStarted {};

/// A section has begun. The listener's thread delivers it, a little later.
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

/// The machine's power: ten times a second, if there are sensors.
struct PowerSample {
  std::optional<Watts> power{};    ///< of the root domains together; empty if unknown
  std::vector<RailPower> rails{};  ///< of each domain
  std::optional<Joules> energy{};  ///< of the root domains since the run began, provisional
};

/// The last event of a run.
struct InferenceComplete {
  RunStatus status = RunStatus::completed;
  Nanoseconds duration{0};
  std::optional<Joules> energy{};  ///< of the whole run, as it is saved
};

/// The energies of tokens whose time all sensors have covered: each token once, without its text.
/// They come from the windows that have arrived so far. Until the run's end only the division of
/// windows among neighbours may change, because the power of each kind of work becomes better
/// known. The baseline is subtracted only at the end.
struct EnergySettled {
  std::vector<TokenFigure> tokens;
};

/// The energy of each layer up to the last settled token; replaces the previous event. At depth
/// module and deep.
struct LayerMetrics {
  std::vector<LayerFigure> layers;
};

/// The same for components, without flops and bytes. At depth module and deep.
struct ComponentMetrics {
  std::vector<ComponentFigure> components;
};

/// The same for operations, without flops and bytes, from the time when
/// ProfilerOptions::wants_operations returns true. At depth deep.
struct OperationMetrics {
  std::vector<OperationFigure> operations;
};

}  // namespace events

using EventData =
    std::variant<events::RunStarted, events::SectionStart, events::SectionEnd,
                 events::TokenComplete, events::PowerSample, events::InferenceComplete,
                 events::EnergySettled, events::LayerMetrics, events::ComponentMetrics,
                 events::OperationMetrics>;

/// One event of a run. A listener selects the kinds that it needs:
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
  /// The event's data if it is of that kind; else null.
  template <class Data>
  [[nodiscard]] const Data* get_if() const noexcept {
    return std::get_if<Data>(&data);
  }
};

}  // namespace enprof
