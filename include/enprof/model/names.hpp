// Names that all parts share: phases, levels, depths, states.
#pragma once

#include "enprof/base/export.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace enprof {

/// What an inference is doing. A run passes through the phases in this order, without gaps, so the
/// energies of the phases add up to that of the run.
enum class Phase : std::uint8_t {
  pre_inference,   ///< tokenization, KV-cache set-up
  prefill,         ///< the prompt's forward pass, up to and including the first output token
  decode,          ///< every further output token
  post_inference,  ///< detokenization of the whole response, clean-up
};
inline constexpr std::array kAllPhases{Phase::pre_inference, Phase::prefill, Phase::decode,
                                       Phase::post_inference};

/// How fine a span is. Each level lies within a span of a coarser one.
enum class Level : std::uint8_t {
  run,
  phase,
  section,
  token,
  pass,  ///< one evaluation of a graph
  layer,
  component,
  operation,
};

/// How much is recorded.
enum class Depth : std::uint8_t {
  minimal,  ///< phases, sections and tokens
  module,   ///< also layers and components
  deep,     ///< also every operation
};

/// How an energy was obtained.
enum class Method : std::uint8_t {
  measured,    ///< the sum of whole sensor windows
  attributed,  ///< a share of measured windows, by overlap in time
  estimated,   ///< from a model of the machine: no sensor was read
};

/// How a run ended.
enum class RunStatus : std::uint8_t { running, completed, failed, cancelled, interrupted };

[[nodiscard]] ENPROF_API std::string_view to_string(Phase value) noexcept;
[[nodiscard]] ENPROF_API std::string_view to_string(Level value) noexcept;
[[nodiscard]] ENPROF_API std::string_view to_string(Depth value) noexcept;
[[nodiscard]] ENPROF_API std::string_view to_string(Method value) noexcept;
[[nodiscard]] ENPROF_API std::string_view to_string(RunStatus value) noexcept;

/// The inverse of to_string; empty for any other name.
[[nodiscard]] ENPROF_API std::optional<Phase> phase_from_string(std::string_view name) noexcept;
[[nodiscard]] ENPROF_API std::optional<Depth> depth_from_string(std::string_view name) noexcept;
[[nodiscard]] ENPROF_API std::optional<Method> method_from_string(std::string_view name) noexcept;
[[nodiscard]] ENPROF_API std::optional<RunStatus> run_status_from_string(
    std::string_view name) noexcept;

}  // namespace enprof
