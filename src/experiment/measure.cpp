#include "experiment/measure.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace enprof {
namespace {

std::optional<double> number(const std::optional<Joules>& energy) {
  return energy ? std::optional{energy->value()} : std::nullopt;
}

/// The relative standard error of a figure's energy.
std::optional<double> relative_error(const Figure& figure) {
  if (!figure.total || !figure.quality.standard_error || figure.total->value() <= 0.0) {
    return std::nullopt;
  }
  return *figure.quality.standard_error / *figure.total;
}

std::optional<double> times(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::optional{*a * *b} : std::nullopt;
}

std::optional<double> phase_error(const ProfiledRun& run, Phase phase) {
  const auto found = std::ranges::find(run.phases, phase, &PhaseFigure::phase);
  return found == run.phases.end() ? std::nullopt : relative_error(found->figure);
}

std::optional<double> mean_power(const ProfiledRun& run) {
  const auto& power = run.totals.figure.mean_power;
  return power ? std::optional{power->value()} : std::nullopt;
}

constexpr std::array kMeasures{
    Measure{.key = kOutputTokenMeasure,
            .name = "energy per output token",
            .unit = "J",
            .json_key = "energy_per_output_token",
            .json_unit = "mj",
            .json_factor = 1e3,
            .better = Better::less,
            .of_power = true,
            .of = [](const ProfiledRun& run) { return number(run.totals.energy_per_output_token); },
            .error =
                [](const ProfiledRun& run) {
                  return times(number(run.totals.energy_per_output_token),
                               phase_error(run, Phase::decode));
                }},
    Measure{.key = kInputTokenMeasure,
            .name = "energy per input token",
            .unit = "J",
            .json_key = "energy_per_input_token",
            .json_unit = "mj",
            .json_factor = 1e3,
            .better = Better::less,
            .of_power = true,
            .of = [](const ProfiledRun& run) { return number(run.totals.energy_per_input_token); },
            .error =
                [](const ProfiledRun& run) {
                  return times(number(run.totals.energy_per_input_token),
                               phase_error(run, Phase::prefill));
                }},
    Measure{.key = kDecodeSpeedMeasure,
            .name = "decode speed",
            .unit = "tok/s",
            .json_key = "decode_tokens_per_second",
            .better = Better::more,
            .of = [](const ProfiledRun& run) { return run.totals.decode_tokens_per_second; }},
    Measure{.key = kPrefillSpeedMeasure,
            .name = "prefill speed",
            .unit = "tok/s",
            .json_key = "prefill_tokens_per_second",
            .better = Better::more,
            .of = [](const ProfiledRun& run) { return run.totals.prefill_tokens_per_second; }},
    Measure{.key = kFirstTokenMeasure,
            .name = "time to first token",
            .unit = "s",
            .json_key = "time_to_first_token",
            .json_unit = "ms",
            .json_factor = 1e3,
            .better = Better::less,
            .of = [](const ProfiledRun& run) -> std::optional<double> {
              const auto& time = run.totals.time_to_first_token;
              return time ? std::optional{seconds(*time)} : std::nullopt;
            }},
    Measure{.key = "energy",
            .name = "energy",
            .unit = "J",
            .json_key = "energy",
            .json_unit = "mj",
            .json_factor = 1e3,
            .better = Better::less,
            .of_power = true,
            .of_whole_run = true,
            .of = [](const ProfiledRun& run) { return number(run.totals.figure.total); },
            .error =
                [](const ProfiledRun& run) {
                  return number(run.totals.figure.quality.standard_error);
                }},
    Measure{.key = kAboveIdleMeasure,
            .name = "energy above idle",
            .unit = "J",
            .json_key = "dynamic_energy",
            .json_unit = "mj",
            .json_factor = 1e3,
            .better = Better::less,
            .of_power = true,
            .of_whole_run = true,
            .of = [](const ProfiledRun& run) { return number(run.totals.figure.dynamic); },
            .error =
                [](const ProfiledRun& run) {
                  return number(run.totals.figure.quality.standard_error);
                }},
    Measure{.key = "time",
            .name = "time",
            .unit = "s",
            .json_key = "duration",
            .json_unit = "ms",
            .json_factor = 1e3,
            .better = Better::less,
            .of_whole_run = true,
            .of = [](const ProfiledRun& run) -> std::optional<double> {
              return seconds(run.totals.figure.duration);
            }},
    Measure{.key = kMeanPowerMeasure,
            .name = "mean power",
            .unit = "W",
            .json_key = "mean_power",
            .json_unit = "mw",
            .json_factor = 1e3,
            .better = Better::neither,
            .of_power = true,
            .of_whole_run = true,
            .of = mean_power,
            .error =
                [](const ProfiledRun& run) {
                  return times(mean_power(run), relative_error(run.totals.figure));
                }},
    Measure{.key = kEdpMeasure,
            .name = "energy × delay",
            .unit = "J·s",
            .json_key = "edp",
            .json_unit = "js",
            .better = Better::less,
            .of_power = true,
            .of_whole_run = true,
            .of = [](const ProfiledRun& run) { return run.totals.edp_joule_seconds; },
            .error =
                [](const ProfiledRun& run) {
                  return times(run.totals.edp_joule_seconds, relative_error(run.totals.figure));
                }},
};

}  // namespace

std::span<const Measure> measures() { return kMeasures; }

const Measure* find_measure(std::string_view key) {
  const auto* const found = std::ranges::find(kMeasures, key, &Measure::key);
  return found == kMeasures.end() ? nullptr : found;
}

std::optional<std::uint64_t> memory_of(const ProfiledRun& run) {
  const auto& [weights, cache] = std::pair{run.model.weight_bytes, run.model.kv_cache_bytes};
  return weights && cache ? std::optional{*weights + *cache} : std::nullopt;
}

std::vector<std::string> judged_measures() {
  std::vector<std::string> keys;
  for (const Measure& measure : kMeasures) {
    if (measure.better != Better::neither) {
      keys.emplace_back(measure.key);
    }
  }
  return keys;
}

}  // namespace enprof
