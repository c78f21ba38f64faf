// enprof run
#pragma once

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "cli/command.hpp"
#include "cli/run_power.hpp"
#include "cli/shared_options.hpp"
#include "engines/llama/llama_engine.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
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
  /// Model and prompt from the words that belong to no option.
  [[nodiscard]] Result<void> take_words();
  [[nodiscard]] Result<void> read_prompt();
  [[nodiscard]] Result<void> check_output_length(const LlamaModelFile& file) const;
  [[nodiscard]] PowerEnvironment environment() const;
  [[nodiscard]] RunPower::Options power_options() const;
  [[nodiscard]] Result<LlamaEngine> load_model(LlamaModelFile file,
                                               const Interrupt& interrupt) const;
  /// `output_tokens`: at most so many.
  [[nodiscard]] RunRequest request(std::size_t output_tokens) const;
  [[nodiscard]] int report(const ProfiledRun& run, const Interrupt& interrupt) const;
  void keep_as_json(const ProfiledRun& run) const;
  [[nodiscard]] static int cancelled_before(const Interrupt& interrupt);

  CLI::Option* model_option_ = nullptr;  // all of them owned by the program
  CLI::Option* prompt_option_ = nullptr;
  CLI::Option* prompt_file_option_ = nullptr;
  CLI::Option* output_option_ = nullptr;
  std::string model_word_;
  std::string prompt_word_;
  std::string model_;
  std::string prompt_;
  std::string prompt_file_;
  GenerateOptions generate_;
  LoadOptions load_;
  bool no_warm_up_ = false;
  std::string power_ = "auto";
  PowerIntervalOption power_interval_;
  std::string power_lock_ = "on";
  double baseline_s_ = 2.0;
  bool baseline_force_ = false;
  bool power_realtime_ = false;
  std::optional<double> tdp_watts_;
  std::optional<double> idle_watts_;
  std::string record_power_;
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
