#include "engines/llama/trained_context.hpp"

#include "engines/llama/gguf_check.hpp"

namespace enprof {

std::optional<std::int64_t> trained_context(const std::filesystem::path& model) {
  const auto checked = check_model(model);
  if (!checked) {
    return std::nullopt;
  }
  const auto positions = checked->metadata.integer(checked->metadata.own_key("context_length"));
  return positions && *positions > 0 ? positions : std::nullopt;
}

}  // namespace enprof
