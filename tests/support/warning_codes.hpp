// The codes of warnings, to compare with those that are expected.
#pragma once

#include "enprof/model/profiled_run.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace enprof::testing {

/// In the order of the warnings, without those of the code `left_out`.
inline std::vector<std::string> warning_codes(const std::vector<Warning>& warnings,
                                              std::string_view left_out = {}) {
  std::vector<std::string> codes;
  codes.reserve(warnings.size());
  for (const Warning& warning : warnings) {
    if (warning.code != left_out) {
      codes.push_back(warning.code);
    }
  }
  return codes;
}

}  // namespace enprof::testing
