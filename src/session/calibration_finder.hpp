// Finds the calibration that a run uses, the same way for every command and the server.
#pragma once

#include "enprof/model/calibration.hpp"
#include "enprof/power/power_monitor.hpp"

#include "engines/engine.hpp"
#include "session/calibration_file.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace enprof {

/// Looks a run's calibration up among those that were kept. It reads the folder for each run, so
/// that a server uses a calibration that was made meanwhile. Threads: one at a time.
class CalibrationFinder {
 public:
  /// `notify` gets a sentence for people where a model has a calibration that cannot be used: once,
  /// and again when the reason changes.
  CalibrationFinder(CalibrationFolder folder, std::function<void(const std::string&)> notify)
      : folder_(std::move(folder)), notify_(std::move(notify)) {}

  /// The one that fits the model, the CPU, the threads (as in GenerateOptions) and the sensors that
  /// measure; null if there is none.
  [[nodiscard]] std::shared_ptr<const Calibration> find(const LoadedModel& model, int threads,
                                                        const PowerMonitor& power);

 private:
  CalibrationFolder folder_;
  std::function<void(const std::string&)> notify_;
  std::map<std::string, std::string> told_;  // by model: why its calibration is not used
};

}  // namespace enprof
