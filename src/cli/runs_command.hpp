// enprof runs
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

namespace enprof {

class RunsCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  DatabaseOption database_;
  RunFilter filter_;
  bool json_ = false;
};

}  // namespace enprof
