// Writes windows to a file that a replay reads.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <vector>

namespace enprof {

/// Threads: one at a time.
class WindowRecorder {
 public:
  /// Empties the file, or creates it. Errors: those of the file.
  [[nodiscard]] static Result<std::unique_ptr<WindowRecorder>> open(
      const std::filesystem::path& path);

  /// Writes windows with times from `origin`. The part of a window before `origin` is cut off, with
  /// its share of the energy: a recording begins at zero. Error: io; do not write again after that.
  [[nodiscard]] Result<void> write(const std::vector<Domain>& domains,
                                   std::span<const EnergyWindow> windows, Instant origin);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  WindowRecorder(std::filesystem::path path, std::ofstream out)
      : path_(std::move(path)), out_(std::move(out)) {}
  void drop_half_line();

  std::filesystem::path path_;
  std::ofstream out_;
  std::uintmax_t whole_bytes_ = 0;  // length of the complete lines
};

}  // namespace enprof
