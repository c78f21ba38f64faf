// enprof_bench MODEL: prints one JSON line a figure. tools/bench runs it, with what must be
// measured from outside a process, and makes a table.
#include "attribution_bench.hpp"
#include "counter_bench.hpp"
#include "overhead_bench.hpp"
#include "scope_bench.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: enprof_bench MODEL.gguf\n", stderr);
    return 2;
  }
  try {
    enprof::bench::bench_attribution();
    enprof::bench::bench_scopes();
    const bool counted = enprof::bench::bench_counter();
    return enprof::bench::bench_overhead(argv[1]) && counted ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "enprof_bench: %s\n", error.what());
    return 1;
  }
}
