#pragma once

#include <span>

namespace enprof::bench {

/// Arguments: what (stamp, section, token, graph or new_graph), and how often; a stamp 100 times as
/// often. Does it, and prints nothing: for tools/bench to count its instructions. `operations`
/// prints how many a graph has. False, with a message on stderr, where the arguments make no sense.
[[nodiscard]] bool run_hot_path(std::span<const char* const> arguments);

}  // namespace enprof::bench
