// enprof show
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

#include <string>

namespace enprof {

class ShowCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<void> write() const;
  [[nodiscard]] Result<std::string> section_of(const ProfiledRun& run) const;

  DatabaseOption database_;
  std::string run_;
  bool json_ = false;
};

}  // namespace enprof
