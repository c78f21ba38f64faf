// Measures the power of a model's components, each running alone.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/model/calibration.hpp"
#include "enprof/power/power_monitor.hpp"

#include "engines/engine.hpp"

#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>

namespace enprof {

struct CalibrationOptions {
  int threads = 0;  ///< as in GenerateOptions
  /// For all classes together; if that is too short for each of them, those that take the least
  /// time in a pass are left out. Empty: kUsualBudget, or what preparing leaves of kWholeTime.
  std::optional<Nanoseconds> budget{};
  /// Before anything is measured: the machine gets as warm as it will be.
  Nanoseconds warm_up = std::chrono::seconds{3};
  /// How long idle power is measured, to see whether the machine is idle, and how long a window is.
  Nanoseconds idle = std::chrono::seconds{1};
  BusyMachine busy = BusyMachine::refuse;
  const Clock* clock = &monotonic_clock();
  /// Called with the part that is done, 0–1, and how long the rest takes.
  std::function<void(double share, Nanoseconds left)> progress{};

  /// Without a budget, the whole calibration takes no longer than this, unless preparing the model
  /// takes most of it: kLeastBudget is always used.
  static constexpr Nanoseconds kWholeTime = std::chrono::seconds{60};
  static constexpr Nanoseconds kUsualBudget = std::chrono::seconds{45};
  static constexpr Nanoseconds kLeastBudget = std::chrono::seconds{10};
};

/// What a calibration of this model with these sensors is valid for.
[[nodiscard]] CalibrationKey calibration_key(const LoadedModel& model, int threads,
                                             const PowerMonitor& power);

/// Runs each class of the model's work alone, several times in turn (schedule_replay), and finds
/// its power in each root domain (powers_of_replay). A class that was left out has no powers. The
/// monitor must be running. Errors: busy, if the machine is not idle before, or if other processes
/// used more than a tenth of the busy CPU time meanwhile; unsupported if power is estimated, or the
/// sensor is too slow for the budget, and those of LoadedModel::prepare_replay; unavailable if no
/// class got a window; cancelled.
[[nodiscard]] Result<Calibration> calibrate_components(LoadedModel& model, PowerMonitor& power,
                                                       const CalibrationOptions& options,
                                                       const std::stop_token& stop);

}  // namespace enprof
