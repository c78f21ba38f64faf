// The llama.cpp engine.
#pragma once

#include "engines/engine.hpp"

namespace enprof {

/// Lives as long as the program.
[[nodiscard]] const Engine& llama();

}  // namespace enprof
