// enprof import
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

#include <string>
#include <vector>

namespace enprof {

/// Imports exported runs into a database.
class ImportCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  DatabaseOption database_;
  std::vector<std::string> files_;
};

}  // namespace enprof
