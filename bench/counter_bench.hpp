#pragma once

namespace enprof::bench {

/// Prints the figures counter.*: how far the time stamps of readings are from the counter's true
/// steps. False, with a message on stderr, where the counter cannot be simulated.
[[nodiscard]] bool bench_counter();

}  // namespace enprof::bench
