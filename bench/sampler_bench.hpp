#pragma once

namespace enprof::bench {

/// Prints the figures sampler.*: what reading sensors costs in CPU time and memory. False, with a
/// message on stderr, where they cannot be measured here.
[[nodiscard]] bool bench_sampler();

}  // namespace enprof::bench
