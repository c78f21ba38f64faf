// Calibrations on the command line: where they are kept, how one is made, how runs find theirs.
#pragma once

#include "report/text_table.hpp"
#include "session/calibration_file.hpp"
#include "session/calibration_finder.hpp"
#include "session/component_calibration.hpp"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace enprof {

/// $XDG_DATA_HOME/enprof/calibration, beside the default database. Errors: as
/// ProfileDatabase::default_path().
[[nodiscard]] Result<CalibrationFolder> calibration_folder();

/// The time that a user gives for all components together, in seconds.
[[nodiscard]] std::optional<Nanoseconds> budget_of(const std::optional<double>& time_s);

/// calibrate_components() with a progress bar on stderr; keeps the result in the folder.
[[nodiscard]] Result<Calibration> calibrate_and_keep(LoadedModel& model, PowerMonitor& power,
                                                     CalibrationOptions options,
                                                     const CalibrationFolder& folder,
                                                     const std::stop_token& stop);

/// Looks runs' calibrations up in the folder; null if there is no folder. Notes on stderr say why
/// none is used, if that may be unexpected.
[[nodiscard]] std::unique_ptr<CalibrationFinder> calibration_finder();

/// The powers by phase and class of work, those that take the most time first; and how many there
/// are, and were left out.
[[nodiscard]] std::string calibration_report(const Calibration& calibration,
                                             const Terminal& terminal);

}  // namespace enprof
