// The database as a file: where it lies, whether it can be created there, and why it cannot be
// opened.
#pragma once

#include "enprof/base/error.hpp"

#include <filesystem>
#include <string_view>
#include <vector>

namespace enprof {

/// See ProfileDatabase::default_path.
[[nodiscard]] Result<std::filesystem::path> default_database_path();

/// The directory of a file; "." if the path has none.
[[nodiscard]] std::filesystem::path directory_of(const std::filesystem::path& path);

/// The place of a database that is about to be opened. Its directory is created; what was created
/// is removed again unless keep() is called.
class DatabasePlace {
 public:
  /// Errors: invalid_argument (the path is empty, a directory, a device …), permission_denied, io …
  [[nodiscard]] static Result<DatabasePlace> prepare(const std::filesystem::path& path);

  DatabasePlace(DatabasePlace&& other) noexcept;
  DatabasePlace& operator=(DatabasePlace&&) = delete;
  ~DatabasePlace();

  /// The file's absolute path. SQLite would take a relative one such as "file:x" for a URI.
  [[nodiscard]] const std::filesystem::path& absolute() const { return absolute_; }
  void keep() { kept_ = true; }

 private:
  explicit DatabasePlace(std::filesystem::path absolute) : absolute_(std::move(absolute)) {}
  [[nodiscard]] Result<void> make_directories();

  std::filesystem::path absolute_;
  std::vector<std::filesystem::path> made_;  ///< directories, outermost first
  bool made_file_ = false;                   ///< the file did not exist before
  bool kept_ = false;
};

/// Whether this user may write the file and what SQLite keeps beside it.
[[nodiscard]] bool may_write_database(const std::filesystem::path& path);

/// Why a file cannot be opened for reading and writing, or why SQLite cannot write its log into the
/// directory. `detail` is reported if no reason can be found.
[[nodiscard]] Error explain_refusal(const std::filesystem::path& path, std::string_view detail);

}  // namespace enprof
