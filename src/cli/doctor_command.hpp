// enprof doctor
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"

#include <string>
#include <vector>

namespace enprof {

/// One thing that was looked at.
struct Diagnosis {
  std::string what;
  bool works = false;
  std::string detail;
  std::string fix;  ///< the command or line that makes it work; may be empty
};

class DoctorCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  [[nodiscard]] Diagnosis diagnose_database() const;

  DatabaseOption database_;
  bool json_ = false;
};

}  // namespace enprof
