#pragma once

namespace enprof::bench {

/// Prints the figures operation.*: the time and memory that the operation clock costs per
/// operation, and how long it takes to compute a run's figures from a million operations.
void bench_operations();

}  // namespace enprof::bench
