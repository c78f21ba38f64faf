// What the store takes: rows a second, bytes a row, questions, and what saving adds to a decode.
#pragma once

#include <span>

namespace enprof::bench {

/// No arguments: the file and its questions, and the CPU time that saving takes. MODEL.gguf ROUNDS:
/// decode time with saving over without.
bool bench_store(std::span<const char* const> arguments);

}  // namespace enprof::bench
