// The engine that plays scripts: for tests, for demonstrations, and for pictures that can be made
// again exactly.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "engines/engine.hpp"

#include <memory>

namespace enprof {

/// On the real clock. Lives as long as the program.
[[nodiscard]] const Engine& playback();

/// On another clock, which the sleeper moves: time passes as the script says, without waiting. Both
/// outlive the engine and its models.
[[nodiscard]] std::unique_ptr<Engine> make_playback(const Clock& clock, const Sleeper& sleeper);

}  // namespace enprof
