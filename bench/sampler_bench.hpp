#pragma once

namespace enprof::bench {

/// Prints the figures sampler.*: the CPU time and memory that reading sensors costs. False, with a
/// message on stderr, if they cannot be measured here.
[[nodiscard]] bool bench_sampler();

}  // namespace enprof::bench
