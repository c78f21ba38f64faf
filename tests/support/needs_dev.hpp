// A test that needs what only `tools/setup --dev` installs.
#pragma once

#include <string>

namespace enprof::testing {

/// The reason of a GTEST_SKIP. tools/run-tests recognizes it by its form: if ENPROF_REQUIRE_DEV is
/// set, as in .ci/run, such a skip is a failure.
[[nodiscard]] inline std::string needs_dev(const std::string& what) {
  return "needs " + what + " (tools/setup --dev)";
}

}  // namespace enprof::testing
