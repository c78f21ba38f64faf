// Calibrations as files, one for each model, machine, thread count and set of sensors.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/calibration.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace enprof {

/// A calibration as JSON, and back. `name` is what messages call the text. Errors: malformed.
[[nodiscard]] std::string calibration_to_json(const Calibration& calibration);
[[nodiscard]] Result<Calibration> calibration_from_json(std::string_view text,
                                                        std::string_view name);

/// What differs, for people: "made with 4 threads, not 2"; empty if nothing does.
[[nodiscard]] std::string difference(const CalibrationKey& made, const CalibrationKey& wanted);

/// The folder of calibrations. Threads: any; several programs may use it at once.
class CalibrationFolder {
 public:
  explicit CalibrationFolder(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Writes the file, in place of the one with the same key. Errors: those of the file system.
  [[nodiscard]] Result<std::filesystem::path> keep(const Calibration& calibration) const;

  struct Found {
    std::shared_ptr<const Calibration> calibration;  ///< null if none fits
    std::string
        why_not;  ///< why a file for this model was not used; empty if there is no such file
  };
  [[nodiscard]] Found find(const CalibrationKey& key) const;

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace enprof
