#pragma once

#include <span>

namespace enprof::bench {

/// Arguments: a name for the model, its file, rounds. Prints the figures overhead.NAME.*: time of
/// prefill and decode with enprof / without it, for each depth. False, with a message on stderr, if
/// the model cannot be used.
[[nodiscard]] bool bench_overhead(std::span<const char* const> arguments);

}  // namespace enprof::bench
