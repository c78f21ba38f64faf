// What was measured, as JSON for tools/check-hardware.
#pragma once

#include "enprof/power/power_monitor.hpp"

#include "energy_comparison.hpp"
#include "step_meter.hpp"
#include "wave_check.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace enprof::hardware {

[[nodiscard]] nlohmann::json to_json(const WatchedValue& value, const StepFigures& figures);
[[nodiscard]] nlohmann::json to_json(const WaveFigures& figures);
[[nodiscard]] nlohmann::json to_json(const std::vector<MeasuredEnergy>& energies);
[[nodiscard]] nlohmann::json to_json(const std::vector<Warning>& warnings);
[[nodiscard]] nlohmann::json to_json(const Error& error);

}  // namespace enprof::hardware
