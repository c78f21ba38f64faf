#pragma once

namespace enprof::bench {

/// Prints the figures attribution.*.
void bench_attribution();

}  // namespace enprof::bench
