// Measures the store: rows per second, bytes per row, queries, and what saving adds to a decode.
#pragma once

#include <span>

namespace enprof::bench {

/// Without arguments: the file, its queries, and the CPU time of saving. MODEL.gguf ROUNDS: decode
/// time with saving / without it.
bool bench_store(std::span<const char* const> arguments);

}  // namespace enprof::bench
