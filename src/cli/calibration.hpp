// Calibrations on the command line: where they are kept, how one is made, how a run finds its own.
#pragma once

#include "report/text_table.hpp"
#include "session/calibration_file.hpp"
#include "session/component_calibration.hpp"

#include <memory>
#include <stop_token>
#include <string>

namespace enprof {

/// $XDG_DATA_HOME/enprof/calibration, beside the default database. Errors: as
/// ProfileDatabase::default_path().
[[nodiscard]] Result<CalibrationFolder> calibration_folder();

/// calibrate_components() with a progress bar on stderr; keeps the result in the folder.
[[nodiscard]] Result<Calibration> calibrate_and_keep(LoadedModel& model, PowerMonitor& power,
                                                     CalibrationOptions options,
                                                     const CalibrationFolder& folder,
                                                     const std::stop_token& stop);

/// The kept calibration that fits; null if there is none. If one was made for other conditions, or
/// is damaged, a note on stderr says why it is not used.
[[nodiscard]] std::shared_ptr<const Calibration> find_calibration(const LoadedModel& model,
                                                                  int threads,
                                                                  const PowerMonitor& power,
                                                                  const CalibrationFolder& folder);

/// The powers by phase and class of work, those that take the most time first.
[[nodiscard]] std::string calibration_report(const Calibration& calibration,
                                             const Terminal& terminal);

}  // namespace enprof
