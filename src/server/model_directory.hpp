// The models that clients may name.
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

/// The models of one directory, by name alone: whoever may start a run may not thereby read any
/// file of this machine. A link is followed where it ends in the directory, or, as model hubs and
/// registries lay their files out, in a directory "blobs" beside it or beside the one that it is in
/// (snapshots/REVISION/m.gguf → ../../blobs/HASH). A file is opened first, and what was opened is
/// looked at: a link that is changed meanwhile changes nothing.
///
/// Clients see its messages: they name no path. Threads: any, const; the directory is read again
/// each time.
class ModelDirectory {
 public:
  struct Entry {
    std::string name;  ///< file name
    std::uint64_t bytes = 0;
  };

  explicit ModelDirectory(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// What open() opens, by name, without the later parts of split models. Errors: those of the
  /// directory.
  [[nodiscard]] Result<std::vector<Entry>> list() const;
  /// The file of that name. Errors: invalid_argument, for what is no plain name; not_found, which
  /// names those that there are; permission_denied, for a link that leads elsewhere and for a file
  /// that the server may not read.
  [[nodiscard]] Result<OpenModelFile> open(std::string_view name) const;
  /// Names of links that lead elsewhere: the server's user may wonder where they are.
  [[nodiscard]] std::vector<std::string> strays() const;

  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace enprof
