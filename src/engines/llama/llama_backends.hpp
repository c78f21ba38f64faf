// Which llama.cpp this is, and what it can compute on.
#pragma once

#include <string>

namespace enprof {

/// "llama.cpp v0.5.0 on CPU (AMD EPYC …)": the version, and each device with its description.
[[nodiscard]] std::string describe_llama();

/// "AVX2 FMA F16C REPACK": what this build of llama.cpp uses of the CPU. Empty where it does not
/// say.
[[nodiscard]] std::string llama_cpu_features();

}  // namespace enprof
