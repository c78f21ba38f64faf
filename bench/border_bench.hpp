#pragma once

#include <span>

namespace enprof::bench {

/// Arguments: a number of rounds. False, with a message on stderr, without one.
[[nodiscard]] bool bench_borders(std::span<const char* const> arguments);

}  // namespace enprof::bench
