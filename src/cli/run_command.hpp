// enprof run
#pragma once

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "cli/command.hpp"
#include "cli/engine_options.hpp"
#include "cli/power_options.hpp"
#include "cli/shared_options.hpp"
#include "session/run_session.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace enprof {

class Interrupt;

/// Loads a model, measures an idle baseline, profiles a prompt, reports, and saves.
class RunCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  /// Takes model and prompt from the words that belong to no option.
  [[nodiscard]] Result<void> assign_words();
  [[nodiscard]] Result<void> read_prompt();
  /// `trained`: the context length that the model was trained with.
  [[nodiscard]] Result<void> check_output_length(std::optional<std::int64_t> trained) const;
  [[nodiscard]] RunTask task() const;
  /// The calibration that a run uses: a new one with --calibrate, else one that fits. Null if there
  /// is none; a note on stderr says why, if that may be unexpected.
  [[nodiscard]] std::shared_ptr<const Calibration> calibration(LoadedModel& model,
                                                               const RunTask& task,
                                                               PowerMonitor& power,
                                                               const std::stop_token& stop) const;
  [[nodiscard]] int report(const ProfiledRun& run, const Interrupt& interrupt) const;
  void save_as_json(const ProfiledRun& run) const;
  [[nodiscard]] static int cancelled_before(const Interrupt& interrupt);

  CLI::Option* model_option_ = nullptr;  // these are owned by the program
  CLI::Option* prompt_option_ = nullptr;
  CLI::Option* prompt_file_option_ = nullptr;
  CLI::Option* output_option_ = nullptr;
  std::string model_word_;
  std::string prompt_word_;
  std::string model_;
  std::string prompt_;
  std::string prompt_file_;
  GenerateOptions generate_;
  EngineOptions engine_settings_;
  PowerOptions power_;
  bool calibrate_ = false;
  std::optional<double> calibrate_s_;
  bool no_calibration_ = false;
  std::string depth_ = "module";
  std::vector<std::string> tags_;
  std::string experiment_;
  Economics economics_;
  DatabaseOption database_;
  bool no_save_ = false;
  std::string json_;
  bool strict_ = false;
};

}  // namespace enprof
