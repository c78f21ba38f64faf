// Looks at a model file before llama.cpp does, so that a bad one gets one clear answer.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "engines/llama/gguf_metadata.hpp"
#include "engines/open_as.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// A model whose every part is there, readable and as long as its header says.
struct CheckedModel {
  std::vector<std::filesystem::path> parts;  ///< one, or all parts of a split model in order
  GgufMetadata metadata;                     ///< of the first part
  std::uint64_t file_bytes = 0;              ///< of all parts
  std::uint64_t weight_bytes = 0;            ///< of all tensors
  /// Positions that the model has an embedding for, where it looks them up in a table; empty where
  /// it works them out (rotary and the like).
  std::optional<int> learned_positions{};
  Nanoseconds duration{0};  ///< that it took to look at it: a part of the time to load it
};

/// The tensor that has them.
inline constexpr const char* kPositionTable = "position_embd.weight";

/// Reads the header of each part, never the weights. Errors: not_found, permission_denied,
/// invalid_argument (a directory, a device, a later part of a split model), malformed (not GGUF),
/// unsupported (a version of GGUF that llama.cpp does not read; a file without weights), corrupt
/// (empty, truncated, metadata that contradict themselves).
[[nodiscard]] Result<CheckedModel> check_model(const std::filesystem::path& path,
                                               const OpenAs& open_as = {});

/// Error too_large where `needed` bytes do not fit into `available`; no answer about the memory is
/// no error. `what` names the bytes in the message: "the weights of model.gguf".
[[nodiscard]] Result<void> check_fits_memory(const std::string& what, std::uint64_t needed,
                                             std::optional<std::uint64_t> available,
                                             const std::string& hint);

}  // namespace enprof
