#include "engines/llama/llama_backends.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace enprof {

std::string describe_llama() {
  std::string devices;
  for (std::size_t index = 0; index < ggml_backend_dev_count(); ++index) {
    ggml_backend_dev_t device = ggml_backend_dev_get(index);
    devices += fmt::format("{}{} ({})", devices.empty() ? "" : ", ", ggml_backend_dev_name(device),
                           ggml_backend_dev_description(device));
  }
  return fmt::format("llama.cpp v{} on {}", llama_version(), devices);
}

std::string llama_cpu_features() {
  // "CPU : SSE3 = 1 | AVX = 1 | LLAMAFILE = 1 | REPACK = 1 | "
  const char* const said = llama_print_system_info();
  std::string_view rest = said != nullptr ? said : "";
  std::string features;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('|'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const auto equals = part.find(" = 1");
    if (equals == std::string_view::npos) {
      continue;
    }
    std::string_view name = part.substr(0, equals);
    name.remove_prefix(name.find_last_of(" :") + 1);  // npos + 1 is 0
    features += fmt::format("{}{}", features.empty() ? "" : " ", name);
  }
  return features;
}

}  // namespace enprof
