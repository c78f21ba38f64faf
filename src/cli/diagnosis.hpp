// What doctor found out.
#pragma once

#include <cstdint>
#include <string>

namespace enprof {

enum class DiagnosisState : std::uint8_t {
  good,     ///< works
  limited,  ///< works, but costs accuracy, or is not as it might be
  bad,      ///< does not work
};

/// One thing that was looked at.
struct Diagnosis {
  std::string what;
  DiagnosisState state = DiagnosisState::bad;
  std::string detail;
  /// The command or line that makes it work, or better; may be empty. A line of its own that begins
  /// with two blanks is to be copied as it is.
  std::string fix;

  [[nodiscard]] bool works() const { return state != DiagnosisState::bad; }
};

}  // namespace enprof
