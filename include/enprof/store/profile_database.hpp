// The history of runs: one SQLite file.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/base/export.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/store/database_care.hpp"
#include "enprof/store/run_query.hpp"
#include "enprof/store/store_health.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

enum class Access : std::uint8_t {
  read_write,
  read_only,  ///< changes nothing: neither the file nor what lies beside it
};

class RunLock;
struct RunStep;

struct DatabaseOptions {
  /// How long to wait for another program that holds the file locked, with pauses that grow.
  Nanoseconds busy_timeout = std::chrono::seconds{5};
  /// For the pauses after failures; null: the real one. Lives longer than the database.
  const Clock* clock = nullptr;
  Access access = Access::read_write;
};

/// A run that is over and that the database did not take yet.
struct UnsavedRun {
  std::string run_id;
  std::filesystem::path journal;  ///< where it is on disk all the same; empty: in memory alone
};

/// Stores runs and gives them back unchanged: an equal run. Doubles keep their bits, save that the
/// sign of a zero is lost and that what is not a number (NaN) comes back as absent.
///
/// Errors that any of the calls may give: not_running, without a connection; io, where the
/// connection was lost because the file went away (the next call connects anew); busy, where
/// another program held the file for longer than busy_timeout; corrupt. Calls that write: too_large
/// (disk full), permission_denied, and unavailable, where writing failed so often that it is left
/// alone for a while: see health(). A call that fails has changed nothing.
///
/// Threads: any. Calls that write take turns; those that read have connections of their own, and
/// wait neither for each other nor for who writes. health() waits for nothing. Several objects,
/// also in other processes, may have the same file open.
class ENPROF_API ProfileDatabase {
 public:
  /// Opens the file, creating it and its directories (for the user alone) where they are missing,
  /// and brings an older schema up to date. Where it fails, nothing that it created is left.
  /// Errors: permission_denied, invalid_argument (a directory, another program's database),
  /// corrupt (not a database, damaged), unsupported (written by a newer enprof), busy, too_large
  /// (disk full), io. With Access::read_only also not_found, and unsupported where it is older than
  /// this program; calls that write then fail.
  [[nodiscard]] static Result<ProfileDatabase> connect(const std::filesystem::path& path,
                                                       const DatabaseOptions& options = {});
  /// The same, but the file is opened by the first call that needs it, and by each one after that
  /// until it can be opened. For a run that is to go on where the disk is full.
  [[nodiscard]] static ProfileDatabase connect_later(const std::filesystem::path& path,
                                                     const DatabaseOptions& options = {});
  /// $XDG_DATA_HOME/enprof/profiles.db, where that is an absolute path, else
  /// $HOME/.local/share/enprof/profiles.db. Errors: not_found, where there is neither.
  [[nodiscard]] static Result<std::filesystem::path> default_path();

  ProfileDatabase() noexcept;  ///< not connected: every call says so
  ProfileDatabase(ProfileDatabase&& other) noexcept;
  ProfileDatabase& operator=(ProfileDatabase&& other) noexcept;
  ~ProfileDatabase();

  /// As it was given to connect().
  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  /// PRAGMA user_version of the schema that this program writes.
  static constexpr int kSchemaVersion = 4;

  // ---- writing ----------------------------------------------------------------------------------

  /// Writes the whole run in one transaction: all of it or nothing. Takes the place of a run of
  /// that id that is in the making. Is tried even while writing is left alone. Errors:
  /// invalid_argument (a run of that id is there and over, or the run contradicts itself). A run
  /// that was left behind, and so is `interrupted`, gives way to the whole one.
  [[nodiscard]] Result<void> save_run(const ProfiledRun& run);
  /// Deletes a run and all that belongs to it, also what waits beside the database to be brought
  /// in; false where there was none. Errors: busy, where a living process writes it.
  [[nodiscard]] Result<bool> delete_run(std::string_view run_id);
  /// Gives a run these tags in place of those that it has; false where there is none. Errors:
  /// busy, where the run is in the making: saving it would undo them.
  [[nodiscard]] Result<bool> set_tags(std::string_view run_id, std::span<const std::string> tags);

  // ---- reading ----------------------------------------------------------------------------------

  /// Empty where there is no such run. This and what follows.
  [[nodiscard]] Result<std::optional<ProfiledRun>> get_run(std::string_view run_id,
                                                           const RunParts& parts = {});
  /// For runs that are too long for memory: all but the lists of RunRows.
  [[nodiscard]] Result<std::optional<RunHead>> run_head(std::string_view run_id);
  /// About so many rows of a list, from a place on. Nothing is held between two calls, so that
  /// whoever reads slowly is in nobody's way. Errors: not_found, where the run was deleted or
  /// replaced since its head was read.
  [[nodiscard]] Result<RunPage> read_page(const RunHead& head, RunRows list, const RunPlace& from,
                                          std::size_t rows);
  /// What the operations of these passes took. Reads those passes alone.
  [[nodiscard]] Result<std::optional<OperationSums>> operation_sums(std::string_view run_id,
                                                                    const PassRange& range = {});
  /// Activations and attention of these passes, without the choices of experts.
  [[nodiscard]] Result<std::optional<SampledValues>> sampled_values(std::string_view run_id,
                                                                    const PassRange& range = {});
  [[nodiscard]] Result<std::optional<RunSummary>> summary(std::string_view run_id);
  [[nodiscard]] Result<std::optional<RunPipeline>> pipeline(std::string_view run_id);
  /// With at most so many points a series, chosen by largest triangle three buckets so that peaks
  /// stay; 0: all of them.
  [[nodiscard]] Result<std::optional<PowerTimeline>> power_timeline(std::string_view run_id,
                                                                    std::size_t points = 0);
  /// Of one phase, or of all together.
  [[nodiscard]] Result<std::optional<LayerComponentMatrix>> layer_components(
      std::string_view run_id, std::optional<Phase> phase = std::nullopt);

  /// The full id of a run named by its id, a unique prefix of it, or "last": the one that started
  /// last, and among several the one that was saved last. Errors: not_found; invalid_argument,
  /// where several match (the hint names them).
  [[nodiscard]] Result<std::string> resolve(std::string_view id_or_prefix);
  /// Sorted as the filter says, and only then cut to offset and limit.
  [[nodiscard]] Result<RunList> list_runs(const RunFilter& filter = {});
  /// The same without what the runs are: prompts may be long.
  [[nodiscard]] Result<RunIds> find_runs(const RunFilter& filter = {});
  /// The lines of some of these runs, from the first on, until their texts have so many bytes.
  [[nodiscard]] Result<RunSummaries> summaries(std::span<const std::string> run_ids,
                                               std::size_t bytes);

  // ---- looking after it -------------------------------------------------------------------------

  [[nodiscard]] StoreHealth health() const;
  [[nodiscard]] Result<DatabaseStats> stats();
  /// SQLite's own check of the whole file, of its foreign keys, and of the names that rows refer
  /// to.
  [[nodiscard]] Result<CheckReport> check();
  /// Gives unused space back. Needs as much free disk as the file has.
  [[nodiscard]] Result<void> vacuum();
  /// The runs that the rule lets go, oldest first; with `apply`, deletes them.
  [[nodiscard]] Result<std::vector<RunSummary>> prune(const PruneRule& rule, bool apply);
  /// Copies the file as it is at this moment; others may go on reading and writing it. Errors:
  /// invalid_argument, where the target exists; those of the target.
  [[nodiscard]] Result<void> backup(const std::filesystem::path& target);
  /// Puts a copy in the place of all that is in the database, also while programs have it open.
  /// What was there is kept in a file beside it. Errors: those of connect() for either file;
  /// corrupt, where the copy is damaged. Where it fails the database is as it was.
  [[nodiscard]] static Result<RestoreReport> restore(const std::filesystem::path& path,
                                                     const std::filesystem::path& copy);
  /// For a program that lives long to call about once a second: tries again to save the runs that
  /// are kept in memory, and lets go of a file that was not used for a while, so that another may
  /// take its place. The next call opens it again.
  void tend();
  /// Whether a run is over and could not be saved yet. It is kept in memory, and read from there.
  [[nodiscard]] bool is_unsaved(std::string_view run_id) const;
  /// All such runs, oldest first.
  [[nodiscard]] std::vector<UnsavedRun> unsaved_runs() const;
  /// Tries at once to save what is kept in memory; gives the ids of those that are saved now.
  std::vector<std::string> save_unsaved_runs();
  /// Copies what can be read of a damaged file into a new one. Errors: invalid_argument, where the
  /// target exists; corrupt, where nothing can be read.
  [[nodiscard]] static Result<SalvageReport> salvage(const std::filesystem::path& damaged,
                                                     const std::filesystem::path& target);

 private:
  // What a run in the making needs: see src/store/step_store.hpp.
  friend class StepStore;
  [[nodiscard]] Result<void> begin_run(const ProfiledRun& run, std::optional<Nanoseconds> patience);
  [[nodiscard]] Result<void> append_steps(std::string_view run_id, std::span<const RunStep> steps,
                                          std::optional<Nanoseconds> patience);
  [[nodiscard]] Result<std::vector<std::string>> unfinished_runs();
  [[nodiscard]] Result<std::vector<RunStep>> read_steps(std::string_view run_id);
  [[nodiscard]] bool keep_run(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                              std::filesystem::path journal);

  class Impl;
  explicit ProfileDatabase(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace enprof
