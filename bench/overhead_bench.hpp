#pragma once

#include <filesystem>

namespace enprof::bench {

/// Prints the figures overhead.*: decode time with enprof over without it. False, with a message on
/// stderr, where the model cannot be used.
[[nodiscard]] bool bench_overhead(const std::filesystem::path& model);

}  // namespace enprof::bench
