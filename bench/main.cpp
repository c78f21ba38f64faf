// enprof_bench GROUP [ARGUMENT…]: prints one JSON line a figure. tools/bench runs the groups, with
// what must be measured from outside a process, and makes a table.
#include "attribution_bench.hpp"
#include "hot_path_bench.hpp"
#include "operation_bench.hpp"
#include "overhead_bench.hpp"
#include "scope_bench.hpp"

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
  bool (*run)(Arguments);  // false, with a message on stderr, where it cannot be measured
};

bool attribution(Arguments) {
  enprof::bench::bench_attribution();
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

constexpr std::array kGroups{
    Group{"attribution", "", attribution},
    Group{"scope", "", scope},
    Group{"operation", "", operation},
    Group{"hot_path", "stamp|section|token TIMES", enprof::bench::run_hot_path},
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
    std::fprintf(stderr, "  enprof_bench %s %s\n", group.name.data(), group.arguments);
  }
  return 2;
}
