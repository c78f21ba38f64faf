// What somebody wants to have profiled: a command's user, or a server's client.
#pragma once

#include "enprof/model/names.hpp"

#include "engines/generation.hpp"

#include <string>
#include <vector>

namespace enprof {

struct RunTask {
  /// Known to who ordered the run, who may ask for it later; empty: a new one is made.
  std::string run_id{};
  std::string model{};         ///< as who ordered it calls it
  GenerateOptions generate{};  ///< `stop` is the session's to set
  Depth depth = Depth::module;
  std::vector<std::string> tags{};
  std::string experiment{};
};

}  // namespace enprof
