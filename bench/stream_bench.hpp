#pragma once

#include <span>

namespace enprof::bench {

/// Arguments: CLIENTS SECONDS, then optionally a model file and rounds. Prints the figures
/// stream.*: for a server with that many watchers and 1000 events a second, its memory, the lost
/// events, and how late events arrive; for a calm stream, how late they arrive; and with a model,
/// decode time with all of that / without it, on different CPUs. False, with a message on stderr,
/// if it cannot be measured.
[[nodiscard]] bool bench_stream(std::span<const char* const> arguments);

}  // namespace enprof::bench
