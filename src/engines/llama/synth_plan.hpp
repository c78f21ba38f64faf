// The tensors of a synthesized model, with their shapes and types, as llama.cpp itself gives them.
#pragma once

#include "engines/llama/synth_spec.hpp"

#include <ggml.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace enprof {

struct PlannedTensor {
  std::string name;
  std::array<std::int64_t, 4> shape{1, 1, 1, 1};  ///< fastest first, as ggml has it
  ggml_type type = GGML_TYPE_F32;

  [[nodiscard]] int dimensions() const noexcept;
  [[nodiscard]] std::int64_t rows() const noexcept { return shape[1] * shape[2] * shape[3]; }
  [[nodiscard]] std::uint64_t elements() const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept;
};

/// The tensors of the shape, in the order in which llama.cpp creates them. `scratch` is a file that
/// it may overwrite; it is sparse, and as long as the model in F32.
[[nodiscard]] Result<std::vector<PlannedTensor>> plan_tensors(const ArchSpec& arch,
                                                              const WeightType& type,
                                                              const SynthOptions& options,
                                                              std::uint32_t vocabulary,
                                                              const std::filesystem::path& scratch);

/// Adds the planned tensors, without data, to a GGUF context.
void add_tensors(gguf_context* gguf, const std::vector<PlannedTensor>& plan);

}  // namespace enprof
