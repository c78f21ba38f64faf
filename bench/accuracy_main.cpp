// enprof_accuracy [FIRST_SEED [COUNT]]: prints the figures accuracy.*, one JSON line each.
#include "accuracy_bench.hpp"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc > 3) {
    std::fputs("usage: enprof_accuracy [FIRST_SEED [COUNT]]\n", stderr);
    return 2;
  }
  enprof::bench::SeedRange seeds;
  if (argc > 1) {
    seeds.first = std::strtoull(argv[1], nullptr, 10);
  }
  if (argc > 2) {
    seeds.count = std::strtoull(argv[2], nullptr, 10);
  }
  enprof::bench::bench_accuracy(seeds);
  return 0;
}
