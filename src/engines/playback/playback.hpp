// The engine that plays scripts: for tests, demonstrations, and pictures that can be reproduced
// exactly.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "engines/engine.hpp"

#include <memory>

namespace enprof {

/// The engine on the real clock. Lives as long as the program.
[[nodiscard]] const Engine& playback();

/// The engine on another clock, which the sleeper advances: time passes as the script says, without
/// waiting. Both outlive the engine and its models.
[[nodiscard]] std::unique_ptr<Engine> make_playback(const Clock& clock, const Sleeper& sleeper);

}  // namespace enprof
