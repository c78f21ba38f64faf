#include "engines/llama/trained_context.hpp"

#include <algorithm>

namespace enprof {

std::optional<std::int64_t> trained_context(const CheckedModel& model) {
  auto positions = model.metadata.integer(model.metadata.own_key("context_length"));
  if (positions && *positions <= 0) {
    positions.reset();
  }
  if (model.learned_positions && *model.learned_positions > 0) {  // there are no more
    positions = std::min<std::int64_t>(positions.value_or(*model.learned_positions),
                                       *model.learned_positions);
  }
  return positions;
}

}  // namespace enprof
