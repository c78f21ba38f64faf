#pragma once

#include "accuracy_bench.hpp"

namespace enprof::bench {

/// Prints the figures requests.SENSOR.DEPTH.METHOD: the errors of requests' energies against the
/// simulator's truth, of servers that compute several requests in one pass.
void bench_serving(const SeedRange& seeds);

}  // namespace enprof::bench
