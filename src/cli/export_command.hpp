// enprof export
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "report/run_source.hpp"

#include <string>

namespace enprof {

class ExportCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Result<void> write() const;
  [[nodiscard]] Result<void> write_tables(RunSource& run) const;

  DatabaseOption database_;
  std::string run_;
  std::string format_ = "json";
  std::string output_ = "-";
  bool force_ = false;
};

}  // namespace enprof
