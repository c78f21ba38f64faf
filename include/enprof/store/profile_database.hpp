// The history of runs: one SQLite file.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/profiled_run.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Which runs to list. Empty fields do not restrict.
struct RunFilter {
  std::string model;       ///< exact model name
  std::string tag;         ///< one of the run's tags
  std::string experiment;  ///< exact
  std::size_t limit = 50;
  std::size_t offset = 0;
};

/// One line of the list.
struct RunSummary {
  std::string run_id;
  RunStatus status = RunStatus::completed;
  WallTime started_at;
  std::string model;
  std::string quantization;
  std::string experiment;
  std::vector<std::string> tags;
  std::string prompt;  ///< whole
  Nanoseconds duration{0};
  std::size_t prompt_tokens = 0;
  std::size_t output_tokens = 0;
  std::optional<Joules> energy;
  std::optional<Joules> energy_per_output_token;
  std::optional<Method> method;
  std::size_t warnings = 0;
};

/// Runs, newest first, and how many match in all.
struct RunList {
  std::vector<RunSummary> runs;
  std::size_t total = 0;
};

struct DatabaseOptions {
  /// How long to wait for another program that holds the file locked.
  Nanoseconds busy_timeout = std::chrono::seconds{5};
};

/// Stores runs and gives them back unchanged: an equal run. Doubles keep their bits, save that the
/// sign of a zero is lost and that what is not a number (NaN) comes back as absent.
/// Threads: one at a time for each object; several objects, also in other processes, may have the
/// same file open.
class ENPROF_API ProfileDatabase {
 public:
  /// Opens the file, creating it and its directories (for the user alone) where they are missing,
  /// and brings an older schema up to date. Where it fails, nothing that it created is left.
  /// Errors: permission_denied, invalid_argument (a directory, another program's database),
  /// corrupt (not a database, damaged), unsupported (written by a newer enprof), busy, too_large
  /// (disk full), io.
  [[nodiscard]] static Result<ProfileDatabase> connect(const std::filesystem::path& path,
                                                       const DatabaseOptions& options = {});
  /// $XDG_DATA_HOME/enprof/profiles.db, where that is an absolute path, else
  /// $HOME/.local/share/enprof/profiles.db. Errors: not_found, where there is neither.
  [[nodiscard]] static Result<std::filesystem::path> default_path();

  ProfileDatabase(ProfileDatabase&& other) noexcept;
  ProfileDatabase& operator=(ProfileDatabase&& other) noexcept;
  ~ProfileDatabase();

  /// As it was given to connect().
  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  /// PRAGMA user_version of the schema that this program writes.
  static constexpr int kSchemaVersion = 2;

  /// Writes the whole run in one transaction: all of it or nothing. Errors: invalid_argument (the
  /// id is there already, or the run contradicts itself), too_large (disk full), busy, io. This and
  /// what follows: not_running, on an object that was moved from.
  [[nodiscard]] Result<void> save_run(const ProfiledRun& run);
  /// Empty where there is no such run.
  [[nodiscard]] Result<std::optional<ProfiledRun>> get_run(std::string_view run_id);
  /// The full id of a run named by its id, a unique prefix of it, or "last": the one that started
  /// last, and among several the one that was saved last. Errors: not_found; invalid_argument,
  /// where several match (the hint names them).
  [[nodiscard]] Result<std::string> resolve(std::string_view id_or_prefix);
  /// Sorted by start, newest first, and only then cut to offset and limit.
  [[nodiscard]] Result<RunList> list_runs(const RunFilter& filter = {});
  /// Deletes a run and all that belongs to it; false where there was none.
  [[nodiscard]] Result<bool> delete_run(std::string_view run_id);

 private:
  class Impl;
  explicit ProfileDatabase(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
