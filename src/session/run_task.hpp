// A run that a user or a client has requested.
#pragma once

#include "enprof/model/names.hpp"

#include "engines/generation.hpp"

#include <string>
#include <vector>

namespace enprof {

struct RunTask {
  /// Chosen by the caller, who may ask for the run later; empty: a new id is made.
  std::string run_id{};
  std::string model{};         ///< the name that the user or client gave
  GenerateOptions generate{};  ///< `stop` is set by the session
  Depth depth = Depth::module;
  std::vector<std::string> tags{};
  std::string experiment{};
};

}  // namespace enprof
