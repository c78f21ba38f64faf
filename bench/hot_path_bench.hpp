#pragma once

#include <span>

namespace enprof::bench {

/// Arguments: what to do (stamp, section, token, graph or new_graph), and how often; a stamp is
/// done 100 times as often. Prints nothing: tools/bench counts its instructions. `operations`
/// prints the number of operations in a graph. False, with a message on stderr, if the arguments
/// are wrong.
[[nodiscard]] bool run_hot_path(std::span<const char* const> arguments);

}  // namespace enprof::bench
