// enprof export
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "report/export_format.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof {

class ExportCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  /// What is wrong with the options; empty if nothing is.
  [[nodiscard]] std::optional<Error> usage_error() const;
  [[nodiscard]] Result<void> write() const;
  [[nodiscard]] Result<void> write_tables(ProfileDatabase& database) const;
  [[nodiscard]] Result<std::vector<std::string>> run_ids(ProfileDatabase& database) const;

  DatabaseOption database_;
  std::vector<std::string> runs_;
  std::string format_ = "json";
  std::string weight_;
  std::string output_ = "-";
  bool force_ = false;
};

}  // namespace enprof
