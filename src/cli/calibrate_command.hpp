// enprof calibrate
#pragma once

#include "cli/command.hpp"
#include "cli/engine_options.hpp"
#include "cli/shared_options.hpp"

#include <optional>
#include <string>

namespace enprof {

/// Loads a model, runs each of its components alone while power is measured, and keeps their powers
/// for runs.
class CalibrateCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<void> assign_words();

  std::string model_word_;
  std::string model_;
  int threads_ = 0;
  EngineOptions engine_settings_;
  std::string power_ = "auto";
  PowerIntervalOption power_interval_;
  std::optional<double> seconds_;
  bool force_ = false;
};

}  // namespace enprof
