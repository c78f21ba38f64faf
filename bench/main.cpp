// enprof_bench MODEL: prints one JSON line a figure. tools/bench runs it, with what must be
// measured from outside a process, and makes a table.
#include "attribution_bench.hpp"
#include "overhead_bench.hpp"
#include "sampler_bench.hpp"
#include "scope_bench.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: enprof_bench MODEL.gguf\n", stderr);
    return 2;
  }
  try {
    // First, as long as the process is small and has one thread: it makes copies of itself.
    if (!enprof::bench::bench_sampler()) {
      return 1;
    }
    enprof::bench::bench_attribution();
    enprof::bench::bench_scopes();
    return enprof::bench::bench_overhead(argv[1]) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "enprof_bench: %s\n", error.what());
    return 1;
  }
}
