// enprof db
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Maintains the database: stats, check, vacuum, prune, backup, restore, import.
class DbCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] int stats();
  [[nodiscard]] int check();
  [[nodiscard]] int vacuum();
  [[nodiscard]] int prune();
  [[nodiscard]] int backup();
  [[nodiscard]] int restore();
  [[nodiscard]] int import();

  CLI::App* stats_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* vacuum_ = nullptr;
  CLI::App* prune_ = nullptr;
  CLI::App* backup_ = nullptr;
  CLI::App* restore_ = nullptr;
  CLI::App* import_ = nullptr;
  DatabaseOption database_;
  bool json_ = false;
  bool yes_ = false;
  std::optional<int> max_age_days_;
  std::optional<std::size_t> max_runs_;
  std::string salvage_;
  std::string target_;
  std::string copy_;
  std::vector<std::string> journals_;
};

}  // namespace enprof
