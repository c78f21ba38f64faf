#include "engines/llama/trained_context.hpp"

#include "engines/llama/gguf_check.hpp"

#include <algorithm>

namespace enprof {

std::optional<std::int64_t> trained_context(const std::filesystem::path& model) {
  const auto checked = check_model(model);
  if (!checked) {
    return std::nullopt;
  }
  auto positions = checked->metadata.integer(checked->metadata.own_key("context_length"));
  if (positions && *positions <= 0) {
    positions.reset();
  }
  if (checked->learned_positions && *checked->learned_positions > 0) {  // there are no more
    positions = std::min<std::int64_t>(positions.value_or(*checked->learned_positions),
                                       *checked->learned_positions);
  }
  return positions;
}

}  // namespace enprof
