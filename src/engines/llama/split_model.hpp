// Models in several files, as llama.cpp's gguf-split makes them.
#pragma once

#include "enprof/base/error.hpp"

#include "engines/llama/gguf_metadata.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace enprof {

/// The paths of all parts in order, by llama.cpp's naming: NAME-00001-of-00003.gguf. One path if
/// the model is not split. Errors: invalid_argument if this is a later part, or if its name is not
/// the name of a part; the hint names the file to pass, or how to name the parts.
[[nodiscard]] Result<std::vector<std::filesystem::path>> split_paths(
    const std::filesystem::path& path, const GgufMetadata& metadata);

/// Checks that the parts of a split model belong together, one after the other in order.
class PartsCheck {
 public:
  PartsCheck(const std::vector<std::filesystem::path>& parts, const GgufMetadata& first);

  /// Checks a later part, with this index among the paths. Errors: corrupt if it belongs to another
  /// model.
  [[nodiscard]] Result<void> add(std::size_t index, const GgufMetadata& part);
  /// Call after the last part. Errors: corrupt if the parts do not have all tensors of the model.
  [[nodiscard]] Result<void> finish() const;

 private:
  /// Adds a part's tensors; returns the name of one that an earlier part has too, if any.
  std::optional<std::string> add_tensors(const GgufMetadata& part);

  const std::vector<std::filesystem::path>& parts_;
  std::optional<std::int64_t> tensor_count_;  // of all parts, from the first one
  std::set<std::string> tensors_;
};

}  // namespace enprof
