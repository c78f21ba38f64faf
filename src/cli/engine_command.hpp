// enprof engine-process: the process of an engine, which `serve` starts for itself.
#pragma once

#include "cli/command.hpp"

#include <string>
#include <vector>

namespace enprof {

class EngineCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

  /// The command that starts this program as an engine's process, with the log options that
  /// `program` was given.
  [[nodiscard]] static std::vector<std::string> command_line(const CLI::App& program);
};

}  // namespace enprof
