#pragma once

namespace enprof::bench {

/// Prints the figures operation.*: what the operation clock costs an operation in time and memory,
/// and how long it takes to make a run's figures of a million of them.
void bench_operations();

}  // namespace enprof::bench
