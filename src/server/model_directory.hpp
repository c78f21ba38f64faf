// The models that clients may name.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// The GGUF files of one directory, by name alone: whoever may start a run may not thereby read any
/// file of this machine. Threads: any, const; the directory is read anew each time.
class ModelDirectory {
 public:
  struct Entry {
    std::string name;  ///< file name
    std::uint64_t bytes = 0;
  };

  explicit ModelDirectory(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// By name. Errors: those of the directory.
  [[nodiscard]] Result<std::vector<Entry>> list() const;
  /// The file of that name. Errors: invalid_argument, for what is no plain name; not_found, which
  /// names those that there are; permission_denied, for a link that leads out of the directory.
  [[nodiscard]] Result<std::filesystem::path> find(std::string_view name) const;

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace enprof
