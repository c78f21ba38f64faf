// The version of llama.cpp, and the devices that it can compute on.
#pragma once

#include <string>

namespace enprof {

/// "llama.cpp v0.5.0 on CPU (AMD EPYC …)": the version, and each device with its description.
[[nodiscard]] std::string describe_llama();

/// "AVX2 FMA F16C REPACK": the CPU features that this build of llama.cpp uses. Empty if it does not
/// say.
[[nodiscard]] std::string llama_cpu_features();

}  // namespace enprof
