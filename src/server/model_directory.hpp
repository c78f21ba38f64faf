// The models that clients may use.
#pragma once

#include "enprof/base/error.hpp"

#include "session/open_model_file.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// The models of one directory, by file name only, so that a client who may start runs cannot read
/// other files of this machine. A link is followed if its target is in the directory, or in a
/// directory "blobs" beside it or beside the directory that contains the link, as model hubs and
/// registries arrange their files (snapshots/REVISION/m.gguf → ../../blobs/HASH). A file is opened
/// first and checked through its descriptor, so that changing a link meanwhile has no effect.
///
/// Its messages go to clients: they contain no path. Threads: any, const; each call reads the
/// directory again.
class ModelDirectory {
 public:
  struct Entry {
    std::string name;  ///< file name
    std::uint64_t bytes = 0;
  };

  explicit ModelDirectory(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// The models that open() accepts, by name, without the later parts of split models. Errors:
  /// those of the directory.
  [[nodiscard]] Result<std::vector<Entry>> list() const;
  /// Opens the file of that name. Errors: invalid_argument, if it is not a plain file name;
  /// not_found, with the names of the models; permission_denied, for a link that leads elsewhere or
  /// a file that the server may not read.
  [[nodiscard]] Result<OpenModelFile> open(std::string_view name) const;
  /// The names of links that lead elsewhere, so that the server can report why they are not
  /// offered.
  [[nodiscard]] std::vector<std::string> strays() const;

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace enprof
