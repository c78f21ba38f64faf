// Makes random weights cheaply: quantizes some numbers once and copies them in random order.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/llama/partial_file.hpp"
#include "engines/llama/synth_plan.hpp"

#include <ggml.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace enprof {

/// Makes the data of planned tensors, tensor by tensor. The same seed gives the same bytes.
class SynthWeights {
 public:
  /// `silent[token]` is true for tokens whose output row must be zero.
  SynthWeights(std::uint64_t seed, std::vector<bool> silent);

  /// Appends the tensor to the file. `output`: the logits come from this tensor. `on_bytes` is
  /// called with the number of bytes written since its last call; if it returns false, append stops
  /// with cancelled.
  [[nodiscard]] Result<void> append(PartialFile& file, const PlannedTensor& tensor, bool output,
                                    const std::function<bool(std::uint64_t)>& on_bytes);

 private:
  /// Blocks of quantized gaussian numbers with variance 1/width.
  [[nodiscard]] const std::vector<std::byte>& pool(ggml_type type, std::int64_t width);

  std::uint64_t seed_;
  std::vector<bool> silent_;
  std::map<std::pair<ggml_type, std::int64_t>, std::vector<std::byte>> pools_;
  std::vector<std::byte> buffer_;
};

}  // namespace enprof
