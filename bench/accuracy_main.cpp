// enprof_accuracy [FIRST_SEED COUNT]: prints the figures accuracy.*, one JSON line each; without
// seeds, those of the development seeds, then heldout.* of the others.
#include "accuracy_bench.hpp"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  using namespace enprof::bench;
  if (argc == 1) {
    bench_accuracy("accuracy", kDevelopmentSeeds);
    bench_accuracy("heldout", kHeldOutSeeds);
    return 0;
  }
  const SeedRange seeds{.first = std::strtoull(argv[1], nullptr, 10),
                        .count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0};
  if (argc != 3 || seeds.count == 0) {
    std::fputs("usage: enprof_accuracy [FIRST_SEED COUNT]\n", stderr);
    return 2;
  }
  bench_accuracy("accuracy", seeds);
  return 0;
}
