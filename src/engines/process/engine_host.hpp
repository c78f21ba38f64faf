// The process of an engine: does what the process that started it asks for.
#pragma once

#include "engines/engine.hpp"

#include <span>

namespace enprof {

/// Reads requests from a MessageSocket at `descriptor`, which now belongs to this call, and follows
/// them with these engines, one model at a time. Ends the program when the connection is closed,
/// whatever it is doing then; does not return while there is one. See engine_messages.hpp.
/// Returns the program's exit code.
[[nodiscard]] int serve_engine(int descriptor, std::span<const Engine* const> engines);

}  // namespace enprof
