// enprof model
#pragma once

#include "cli/command.hpp"
#include "engines/llama/model_synth.hpp"

#include <string>

namespace enprof {

/// `model synth`: writes a model of a given shape with dummy weights.
class ModelCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<std::filesystem::path> vocabulary() const;

  SynthOptions options_;
  std::string output_;
  std::string vocabulary_;
};

}  // namespace enprof
