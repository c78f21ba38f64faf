// enprof_accuracy [sim|papers FIRST_SEED COUNT]: prints the figures of accuracy, one JSON line
// each. Without arguments those of both simulators, with the development and the held-out seeds.
// enprof_accuracy replay FIRST_SEED COUNT: prints the figures replay_*, of calibrations.
// enprof_accuracy requests FIRST_SEED COUNT: prints the figures requests.*, of captures.
#include "accuracy_bench.hpp"
#include "serving_bench.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

int main(int argc, char** argv) {
  using namespace enprof::bench;
  if (argc == 1) {
    bench_accuracy();
    return 0;
  }
  const std::string_view name = argv[1];
  const SeedRange seeds{.first = argc == 4 ? std::strtoull(argv[2], nullptr, 10) : 0,
                        .count = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 0};
  if ((name != "sim" && name != "papers" && name != "replay" && name != "requests") ||
      seeds.count == 0) {
    std::fputs("usage: enprof_accuracy [sim|papers|replay|requests FIRST_SEED COUNT]\n", stderr);
    return 2;
  }
  if (name == "replay") {
    bench_replay_differences(seeds);
  } else if (name == "requests") {
    bench_serving(seeds);
  } else if (name == "sim") {
    bench_accuracy("accuracy", seeds, Simulator::sim);
  } else {
    bench_accuracy("papers", seeds, Simulator::papers);
  }
  return 0;
}
