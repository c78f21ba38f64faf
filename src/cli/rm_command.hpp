// enprof rm
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

#include <string>
#include <vector>

namespace enprof {

class RmCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  DatabaseOption database_;
  std::vector<std::string> runs_;
};

}  // namespace enprof
