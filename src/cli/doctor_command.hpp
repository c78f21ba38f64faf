// enprof doctor
#pragma once

#include "cli/command.hpp"
#include "cli/diagnosis.hpp"
#include "cli/shared_options.hpp"

#include <string>
#include <vector>

namespace enprof {

/// Reports what works here, what does not, why, and what would fix it. Changes nothing. Exit codes:
/// 0 whatever it found; 3 under --strict, if energy cannot be measured or runs cannot be saved; 1
/// if the output cannot be written.
class DoctorCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  struct Group {
    std::string title;
    std::vector<Diagnosis> diagnoses;
  };

  [[nodiscard]] Diagnosis diagnose_database() const;
  [[nodiscard]] Diagnosis diagnose_existing_database(const std::filesystem::path& path) const;
  [[nodiscard]] static std::string text(const std::vector<Group>& groups,
                                        const std::string& verdict);
  [[nodiscard]] static std::string json(const std::vector<Group>& groups);

  DatabaseOption database_;
  bool json_ = false;
  bool strict_ = false;
};

}  // namespace enprof
