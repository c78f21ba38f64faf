// The result: everything that is known about one run.
#pragma once

#include "enprof/base/units.hpp"
#include "enprof/model/calibration.hpp"
#include "enprof/model/capture.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/figure.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/model/names.hpp"
#include "enprof/model/operation.hpp"
#include "enprof/model/sensor_reading.hpp"
#include "enprof/model/verdict.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// A point on the wall clock, for people; durations are never computed from it.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Something that makes a run's data less complete or less accurate.
struct Warning {
  std::string component;  ///< power, store, profile, engine, …
  std::string code;       ///< short and stable, for programs: low_coverage, sensor_gone, …
  std::string message;    ///< for people
  std::string hint;       ///< what to do; may be empty

  friend bool operator==(const Warning&, const Warning&) = default;
};

/// Price and carbon intensity, to compute money and CO₂ from energy.
struct Economics {
  double price_usd_per_kwh = 0.12;
  double carbon_g_per_kwh = 400.0;

  friend bool operator==(const Economics&, const Economics&) = default;
};

/// One phase of the run. The phases follow each other without gaps and add up to the run.
struct PhaseFigure {
  Phase phase = Phase::pre_inference;
  Nanoseconds begin{0};  ///< since the run began
  Figure figure;

  friend bool operator==(const PhaseFigure&, const PhaseFigure&) = default;
};

/// Name of the section that holds a phase's time outside its sections.
inline constexpr const char* kSelfSection = "(self)";

/// All sections of one name in one phase, summed.
struct SectionFigure {
  Phase phase = Phase::pre_inference;
  std::string name;  ///< tokenization, forward, …; or kSelfSection
  std::size_t count = 0;
  Nanoseconds begin{0};  ///< of the first, since the run began
  Figure figure;

  friend bool operator==(const SectionFigure&, const SectionFigure&) = default;
};

/// One output token.
struct TokenFigure {
  std::size_t index = 0;  ///< 0 is the first output token
  std::string text;       ///< UTF-8 as the engine gave it: may end within a character
  Phase phase = Phase::decode;
  Nanoseconds begin{0};  ///< since the run began
  Figure figure;

  friend bool operator==(const TokenFigure&, const TokenFigure&) = default;
};

/// The energy of one domain in the run.
struct DomainFigure {
  Domain domain;
  Figure figure;
  std::optional<Watts> idle_power;   ///< mean of the baseline
  std::optional<Watts> idle_spread;  ///< its standard deviation between windows

  friend bool operator==(const DomainFigure&, const DomainFigure&) = default;
};

/// The highest power of the root domains together.
struct PeakPower {
  Watts power;                                  ///< mean over the window
  Nanoseconds at{0};                            ///< the window's middle, since the run began
  Nanoseconds window{0};                        ///< how long it lasted
  std::vector<std::optional<Watts>> by_domain;  ///< at that time, in the order of the domains

  friend bool operator==(const PeakPower&, const PeakPower&) = default;
};

/// The idle measurement before the run.
struct BaselineFigure {
  Watts power;                  ///< of the root domains together
  std::optional<Watts> spread;  ///< standard deviation between windows
  Nanoseconds duration{0};      ///< how long it was measured
  std::size_t windows = 0;

  friend bool operator==(const BaselineFigure&, const BaselineFigure&) = default;
};

/// One window of one domain, for the chart of power over time.
struct PowerSample {
  std::size_t domain = 0;  ///< index into PowerFigures::domains
  Nanoseconds begin{0};    ///< since the run began; the first may be negative
  Nanoseconds end{0};
  Joules energy;

  friend bool operator==(const PowerSample&, const PowerSample&) = default;
};

/// One reading other than energy, of one domain's device.
struct PowerReading {
  std::size_t domain = 0;  ///< index into PowerFigures::domains
  SensorQuantity quantity = SensorQuantity::utilization_ratio;
  Nanoseconds at{0};  ///< since the run began
  double value = 0.0;

  friend bool operator==(const PowerReading&, const PowerReading&) = default;
};

struct PowerFigures {
  std::vector<std::string> sources;  ///< one line each: "rapl: package-0, dram-0 …"
  std::vector<DomainFigure> domains;
  std::optional<BaselineFigure> baseline;
  std::optional<PeakPower> peak;
  std::vector<PowerSample> samples;
  std::vector<PowerReading> readings;
  Nanoseconds interval{0};  ///< between readings

  friend bool operator==(const PowerFigures&, const PowerFigures&) = default;
};

/// The run as a whole. Formulas:
///   energy per input token   = prefill energy / prompt tokens
///   energy per output token  = decode energy / output tokens of the decode phase (that is, all but
///                              the first, which the prefill makes)
///   tokens per second        = output tokens of the decode phase / decode time
///   tokens per joule         = output tokens / run energy
///   EDP                      = energy × duration
///   cost                     = kWh × price, CO₂ = kWh × intensity, 1 kWh = 3.6 MJ
/// In the ratios (energy per token, tokens per joule, EDP) energy is mean power × duration: time
/// that was not measured counts at the mean power of the rest. The ratios are empty if more than a
/// tenth of the time was not measured. Cost and CO₂ are computed from the measured energy.
struct Totals {
  Figure figure;  ///< what the machine used, including other processes
  /// This process's part of the dynamic energy, if energy is divided by CPU time: the dynamic
  /// energy of the roots that contain CPUs × this process's share of the machine's busy CPU time,
  /// computed for short intervals. Empty if one of the two is not known.
  std::optional<Joules> process_dynamic;
  std::size_t prompt_tokens = 0;
  std::size_t output_tokens = 0;
  std::optional<Nanoseconds> time_to_first_token;  ///< from the run's begin
  std::optional<double> prefill_tokens_per_second;
  std::optional<double> decode_tokens_per_second;
  std::optional<Joules> energy_per_input_token;
  std::optional<Joules> energy_per_output_token;
  /// Combined standard uncertainties of the two above: those of the phases' energies per token.
  std::optional<Joules> energy_per_input_token_uncertainty;
  std::optional<Joules> energy_per_output_token_uncertainty;
  std::optional<double> output_to_input_ratio;  ///< output token / input token
  std::optional<double> tokens_per_joule;
  std::optional<double> edp_joule_seconds;
  std::optional<double> edp_per_token_joule_seconds;  ///< mean over the decode tokens
  Economics economics;
  std::optional<double> cost_usd;
  std::optional<double> co2_grams;

  friend bool operator==(const Totals&, const Totals&) = default;
};

struct ProfiledRun {
  std::string run_id;
  RunStatus status = RunStatus::running;
  WallTime started_at;
  Depth depth = Depth::minimal;
  std::string experiment;
  std::vector<std::string> tags;
  std::string prompt;
  std::string response;
  /// end_of_generation, length, context_full, cancelled, error; or empty. Of a command (engine
  /// `exec`) how it ended: "exit code 0".
  std::string finish_reason;
  ModelFacts model;
  /// How far the energies may be quoted, and why no further. Empty in a run of an enprof that did
  /// not judge.
  std::optional<VerdictLevel> verdict;
  std::vector<VerdictReason> verdict_reasons;
  /// What is known of the components' power from a calibration; empty without one.
  std::optional<CalibrationUse> calibration;
  /// Present if the run is a capture, whose requests are runs of their own.
  std::optional<CaptureFigures> capture;
  std::string capture_id;                 ///< the run_id of the capture that it is a request of
  std::optional<RequestFigures> request;  ///< present if it is one
  Totals totals;
  std::vector<PhaseFigure> phases;
  std::vector<SectionFigure> sections;
  std::vector<TokenFigure> tokens;
  std::vector<LayerFigure> layers;          ///< module and deep: by phase, then layer
  std::vector<ComponentFigure> components;  ///< module and deep: by phase, layer, then energy
  std::vector<OperationFigure> operations;  ///< deep: by phase, then energy
  OperationTable operation_table;           ///< module and deep: of every pass
  SampledValues values;                     ///< deep, if values were requested
  PowerFigures power;
  std::vector<Warning> warnings;

  friend bool operator==(const ProfiledRun&, const ProfiledRun&) = default;
};

}  // namespace enprof
