#pragma once

namespace enprof::bench {

/// Prints the figures counter.*: the distance of readings' time stamps from the counter's true
/// steps. False, with a message on stderr, if the counter cannot be simulated.
[[nodiscard]] bool bench_counter();

}  // namespace enprof::bench
