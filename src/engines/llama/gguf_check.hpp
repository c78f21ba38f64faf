// Checks a model file before llama.cpp reads it, so that a bad file gives one clear error.
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

/// A model whose parts all exist, can be read, and are as long as their headers say.
struct CheckedModel {
  std::vector<std::filesystem::path> parts;  ///< one, or all parts of a split model in order
  GgufMetadata metadata;                     ///< of the first part
  std::uint64_t file_bytes = 0;              ///< of all parts
  std::uint64_t weight_bytes = 0;            ///< of all tensors
  std::uint64_t parameters = 0;              ///< elements of all tensors
  /// Positions for which the model has an embedding, if it looks them up in a table; empty if it
  /// computes positions (rotary and similar).
  std::optional<int> learned_positions{};
  Nanoseconds duration{0};  ///< of the check: a part of the load time
};

/// The tensor with the embeddings of positions.
inline constexpr const char* kPositionTable = "position_embd.weight";

/// Reads the header of each part, not the weights. Errors: not_found, permission_denied,
/// invalid_argument (a directory, a device, a later part of a split model), malformed (not GGUF),
/// unsupported (a version of GGUF that llama.cpp does not read; a file without weights), corrupt
/// (empty, truncated, contradictory metadata).
[[nodiscard]] Result<CheckedModel> check_model(const std::filesystem::path& path,
                                               const OpenAs& open_as = {});

/// Error too_large if `needed` bytes do not fit into `available`; if that is unknown, there is no
/// error. `what` names the bytes in the message: "the weights of model.gguf".
[[nodiscard]] Result<void> check_fits_memory(const std::string& what, std::uint64_t needed,
                                             std::optional<std::uint64_t> available,
                                             const std::string& hint);

}  // namespace enprof
