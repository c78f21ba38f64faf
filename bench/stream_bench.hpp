#pragma once

#include <span>

namespace enprof::bench {

/// Arguments: CLIENTS SECONDS, then perhaps a model file and rounds. Prints the figures stream.*:
/// of a server with so many watchers and 1000 events a second, its memory, what was lost, and how
/// late events come; of a calm stream, how late; and with a model, decode time with all of that
/// over decode time without, on different CPUs. False, with a message on stderr, where it cannot be
/// measured.
[[nodiscard]] bool bench_stream(std::span<const char* const> arguments);

}  // namespace enprof::bench
