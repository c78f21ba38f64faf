// Runs of programs that are not ours, beside runs of inferences.
#pragma once

#include <string_view>

namespace enprof {

/// What stands in the place of the engine where a run is one of a command (enprof exec). Such a run
/// has no tokens: its model is the program, its prompt the command line, its finish reason how the
/// command ended.
inline constexpr std::string_view kCommandEngine = "exec";

[[nodiscard]] constexpr bool is_command(std::string_view engine) {
  return engine == kCommandEngine;
}

}  // namespace enprof
