#include "engines/llama/llama_backends.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <cstddef>

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

}  // namespace enprof
