#include "report/operation_frames.hpp"

#include "base/printable.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <utility>

namespace enprof {

std::string shown_layer(std::int32_t layer) {
  return layer == OperationInfo::kNoLayer ? "outside the layers" : fmt::format("layer {}", layer);
}

Result<OperationFrames> OperationFrames::read(RunSource& source) {
  OperationFrames result;
  while (true) {
    const auto slice = source.next(RunRows::operation_kinds);
    if (!slice) {
      return std::unexpected(slice.error());
    }
    if (slice->empty()) {
      return result;
    }
    for (std::size_t row = slice->begin; row < slice->end; ++row) {
      const OperationInfo& kind = slice->run->operation_table.operations[row];
      result.frames_.push_back(
          {.layer = kind.layer,
           .component = result.names_.number_of(printable(shown_component(kind.component))),
           .op = result.names_.number_of(printable(kind.op))});
      result.has_operations_ = result.has_operations_ || !kind.op.empty();
    }
  }
}

}  // namespace enprof
