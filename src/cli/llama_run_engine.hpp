// The engine of `enprof serve`: llama.cpp, with the models of one directory.
#pragma once

#include "engines/llama/llama_engine.hpp"
#include "server/file_version.hpp"
#include "server/model_directory.hpp"
#include "server/run_engine.hpp"

#include <optional>
#include <string>

namespace enprof {

/// Keeps the model of the last task: the next one is often for the same.
class LlamaRunEngine final : public RunEngine {
 public:
  struct Options {
    int gpu_layers = -1;  ///< as LoadOptions has it, and so below
    int threads = 0;
  };

  /// The directory outlives it.
  LlamaRunEngine(const ModelDirectory& models, Options options)
      : models_(models), options_(options) {}

  Result<void> load(const RunTask& task, const std::atomic<bool>& cancel,
                    const std::function<void(double)>& progress) override;
  std::size_t most_output_tokens(const RunTask& task) const override;
  Result<void> generate(RunScope& run, const RunTask& task,
                        const std::atomic<bool>& cancel) override;

 private:
  const ModelDirectory& models_;
  const Options options_;
  std::optional<LlamaEngine> engine_;
  std::string model_;                   // that it has
  std::optional<FileVersion> version_;  // of that model's file, from before it was read
};

}  // namespace enprof
