// llama.cpp among the engines.
#pragma once

#include "engines/engine.hpp"

namespace enprof {

/// Lives as long as the program.
[[nodiscard]] const Engine& llama();

}  // namespace enprof
