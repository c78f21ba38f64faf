#include "session/calibration_finder.hpp"

#include "session/component_calibration.hpp"

#include <fmt/format.h>

#include <utility>

namespace enprof {

std::shared_ptr<const Calibration> CalibrationFinder::find(const LoadedModel& model, int threads,
                                                           const PowerMonitor& power) {
  const CalibrationKey key = calibration_key(model, threads, power);
  if (key.domains.empty()) {
    return nullptr;  // nothing is measured
  }
  CalibrationFolder::Found found = folder_.find(key);
  std::string& told = told_[key.model];
  if (found.why_not != std::exchange(told, found.why_not) && !told.empty()) {
    notify_(
        fmt::format("no calibration is used: {}\n  To make another one: enprof calibrate", told));
  }
  return std::move(found.calibration);
}

}  // namespace enprof
