// The commands that repeat an experiment.
#pragma once

#include <string>
#include <vector>

namespace enprof {

/// Lines for a shell: enprof bench with the design that the runs say (the value of their tag), if
/// flags can say it; then the comparison and the report.
[[nodiscard]] std::vector<std::string> repeat_commands(const std::string& experiment,
                                                       const std::string& design);

}  // namespace enprof
