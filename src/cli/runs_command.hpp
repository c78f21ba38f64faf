// enprof runs
#pragma once

#include "enprof/store/profile_database.hpp"

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

#include <string>

namespace enprof {

class RunsCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<void> write(ProfileDatabase& database) const;

  DatabaseOption database_;
  RunFilter filter_;
  std::string from_;
  std::string to_;
  std::string sort_ = "date";
  bool json_ = false;
};

}  // namespace enprof
