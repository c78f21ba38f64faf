// Models that lie in several files, as llama.cpp's gguf-split makes them.
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

/// The paths of all parts in order, by llama.cpp's naming: NAME-00001-of-00003.gguf. One path where
/// the model is not split. Errors: invalid_argument where this is a later part, or where its name
/// is not as that of a part must be; the hint names the file to pass, or how to name the parts.
[[nodiscard]] Result<std::vector<std::filesystem::path>> split_paths(
    const std::filesystem::path& path, const GgufMetadata& metadata);

/// Whether the parts of a split model belong together. Taken one after the other, the first first.
class PartsCheck {
 public:
  PartsCheck(const std::vector<std::filesystem::path>& parts, const GgufMetadata& first);

  /// A later part, at this place among the paths. Errors: corrupt where it belongs to another
  /// model.
  [[nodiscard]] Result<void> add(std::size_t index, const GgufMetadata& part);
  /// After the last one. Errors: corrupt where they do not have all tensors of the model.
  [[nodiscard]] Result<void> finish() const;

 private:
  /// The name of a tensor that an earlier part has as well.
  std::optional<std::string> add_tensors(const GgufMetadata& part);

  const std::vector<std::filesystem::path>& parts_;
  std::optional<std::int64_t> tensor_count_;  // of all parts, as the first one says
  std::set<std::string> tensors_;
};

}  // namespace enprof
