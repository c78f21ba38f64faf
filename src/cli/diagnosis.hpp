// The findings of doctor.
#pragma once

#include <cstdint>
#include <string>

namespace enprof {

enum class DiagnosisState : std::uint8_t {
  good,     ///< works
  limited,  ///< works, but costs accuracy or could be better
  bad,      ///< does not work
};

/// One finding.
struct Diagnosis {
  std::string what;
  DiagnosisState state = DiagnosisState::bad;
  std::string detail;
  /// The command or line that makes it work, or improves it; may be empty. A separate line that
  /// begins with two blanks is to be copied verbatim.
  std::string fix;

  [[nodiscard]] bool works() const { return state != DiagnosisState::bad; }
};

}  // namespace enprof
