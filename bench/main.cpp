// enprof_bench GROUP [ARGUMENT…]: prints one JSON line per figure. tools/bench runs the groups,
// measures what must be measured from outside a process, and makes a table.
#include "accuracy_bench.hpp"
#include "attribution_bench.hpp"
#include "border_bench.hpp"
#include "counter_bench.hpp"
#include "hot_path_bench.hpp"
#include "operation_bench.hpp"
#include "overhead_bench.hpp"
#include "sampler_bench.hpp"
#include "scope_bench.hpp"
#include "store_bench.hpp"
#if defined(__linux__)
#include "stream_bench.hpp"
#endif

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string_view>

namespace {

using Arguments = std::span<const char* const>;

struct Group {
  std::string_view name;
  const char* arguments;
  bool (*run)(Arguments);  // false, with a message on stderr, if it cannot be measured
};

bool attribution(Arguments) {
  enprof::bench::bench_attribution();
  return true;
}
bool accuracy(Arguments) {
  enprof::bench::bench_accuracy();
  return true;
}
bool scope(Arguments) {
  enprof::bench::bench_scopes();
  return true;
}
bool operation(Arguments) {
  enprof::bench::bench_operations();
  return true;
}

bool sampler(Arguments) { return enprof::bench::bench_sampler(); }

constexpr std::array kGroups{
    Group{"sampler", "", sampler},
    Group{"attribution", "", attribution},
    Group{"accuracy", "", accuracy},
    Group{"scope", "", scope},
    Group{"operation", "", operation},
    Group{"border", "ROUNDS", enprof::bench::bench_borders},
    Group{"counter", "", [](Arguments) { return enprof::bench::bench_counter(); }},
    Group{"hot_path", "stamp|section|token|graph|operations TIMES", enprof::bench::run_hot_path},
    Group{"store", "[MODEL.gguf ROUNDS]", enprof::bench::bench_store},
#if defined(__linux__)
    Group{"stream", "CLIENTS SECONDS [MODEL.gguf ROUNDS]", enprof::bench::bench_stream},
#endif
    Group{"overhead", "NAME MODEL.gguf ROUNDS", enprof::bench::bench_overhead},
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argv, static_cast<std::size_t>(argc));
  try {
    for (const Group& group : kGroups) {
      if (argc > 1 && group.name == arguments[1]) {
        return group.run(arguments.subspan(2)) ? 0 : 1;
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "enprof_bench: %s\n", error.what());
    return 1;
  }
  std::fputs("usage:\n", stderr);
  for (const Group& group : kGroups) {
    std::fputs(fmt::format("  enprof_bench {} {}\n", group.name, group.arguments).c_str(), stderr);
  }
  return 2;
}
