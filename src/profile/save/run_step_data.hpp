// A piece of a run in the making, on its way to the store and back.
#pragma once

#include "enprof/model/energy_window.hpp"
#include "enprof/model/operation.hpp"
#include "enprof/model/sensor_reading.hpp"

#include "base/cpu_times.hpp"
#include "profile/save/json_columns.hpp"
#include "record/pass_record.hpp"
#include "record/recording.hpp"
#include "record/run_recorder.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace enprof {

/// What has come to be known of a run since the step before. Later steps correct earlier ones.
struct RunStepData {
  std::int64_t step = 0;
  Instant origin;  ///< the run's begin
  Instant at;      ///< all that happened up to then is in this step or an earlier one
  std::vector<SpanRecord> spans;
  std::map<std::uint16_t, std::string> names;
  std::map<std::int32_t, std::string> texts;  ///< by token index
  std::vector<PassEntry> passes;
  PassRecordingView pass_memory;  ///< where the stamps and sequences of `passes` lie
  std::map<std::uint32_t, SharedPlan> plans;
  WindowsByDomain windows;
  std::vector<SensorReading> readings;
  std::vector<CpuSample> cpu;       ///< CPU times since the step before
  std::optional<StepJson> facts;    ///< see facts_to_json; where they changed
  SampledValues values;             ///< since the step before
  std::optional<StepJson> sensors;  ///< see sensors_to_json; where they changed
  /// Of the sensors so far; where they changed. Those of a run that is over are in its facts.
  std::optional<std::vector<Warning>> power_warnings;
  std::size_t dropped_spans = 0;
  std::size_t dropped_text_bytes = 0;
  std::size_t cut_spans = 0;
  std::size_t lost_passes = 0;
  std::size_t lost_sequences = 0;
  /// The run is over, and this step alone is all of it. `warnings` came up after it was worked out.
  bool complete = false;
  std::vector<Warning> warnings;
};

/// As one line of JSON, of the version that this program writes (step_format.hpp). Numbers that
/// there are many of stand in flat lists, times as nanoseconds since the run began, stamps as
/// differences: only StepReader reads it.
[[nodiscard]] std::string step_to_json(const RunStepData& data);

}  // namespace enprof
