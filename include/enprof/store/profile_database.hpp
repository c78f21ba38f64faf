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
  read_only,  ///< changes neither the file nor what lies beside it
};

class RunLock;
struct RunStep;

struct DatabaseOptions {
  /// How long to wait for another program's lock, with growing pauses.
  Nanoseconds busy_timeout = std::chrono::seconds{5};
  /// For the pauses after failures; null: the real clock. Must outlive the database.
  const Clock* clock = nullptr;
  Access access = Access::read_write;
};

/// A finished run that is not in the database yet.
struct UnsavedRun {
  std::string run_id;
  std::filesystem::path journal;  ///< where it is on disk; empty: in memory only
};

/// Stores runs and reads them back equal. Doubles keep their bits, except that -0.0 becomes 0.0 and
/// NaN comes back as absent.
///
/// Any call may give these errors: not_running, without a connection; io, if the connection was
/// lost because the file went away (the next call reconnects); busy, if another program held a lock
/// for longer than busy_timeout; corrupt. Calls that write also: too_large (disk full),
/// permission_denied, and unavailable, if writing failed so often that it is paused: see health().
/// A call that fails has changed nothing.
///
/// Threads: any. Calls that write take turns. Calls that read have their own connections and wait
/// neither for each other nor for writers. health() never waits. Several objects, also in different
/// processes, may have the same file open.
class ENPROF_API ProfileDatabase {
 public:
  /// Opens the file, and migrates an older schema. Creates the file and its directories (for the
  /// user alone) if they are missing; on failure, removes what it created. Errors:
  /// permission_denied, invalid_argument (a directory, another program's database), corrupt (not a
  /// database, damaged), unsupported (written by a newer enprof), busy, too_large (disk full), io.
  /// With Access::read_only also not_found, and unsupported if the schema is older than this
  /// program's; calls that write then fail.
  [[nodiscard]] static Result<ProfileDatabase> connect(const std::filesystem::path& path,
                                                       const DatabaseOptions& options = {});
  /// Like connect(), but the file is opened by the first call that needs it, and each later call
  /// retries until that works. For runs that must go on while the disk is full.
  [[nodiscard]] static ProfileDatabase connect_later(const std::filesystem::path& path,
                                                     const DatabaseOptions& options = {});
  /// $XDG_DATA_HOME/enprof/profiles.db if that variable is an absolute path, else
  /// $HOME/.local/share/enprof/profiles.db. Errors: not_found, if neither is set.
  [[nodiscard]] static Result<std::filesystem::path> default_path();

  ProfileDatabase() noexcept;  ///< not connected: every call gives not_running
  ProfileDatabase(ProfileDatabase&& other) noexcept;
  ProfileDatabase& operator=(ProfileDatabase&& other) noexcept;
  ~ProfileDatabase();

  /// The path given to connect().
  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  /// PRAGMA user_version of the schema that this program writes.
  static constexpr int kSchemaVersion = 6;

  // ---- writing ----------------------------------------------------------------------------------

  /// Writes the whole run in one transaction: all of it or nothing. Replaces an unfinished or
  /// interrupted run of the same id. Tries even while writing is paused. Errors: invalid_argument
  /// (a finished run of that id exists, or the run contradicts itself).
  [[nodiscard]] Result<void> save_run(const ProfiledRun& run);
  /// Deletes a run and all that belongs to it, including its journal beside the database; false if
  /// there is no such run. Errors: busy, if a living process is writing it.
  [[nodiscard]] Result<bool> delete_run(std::string_view run_id);
  /// Replaces the tags of a run; false if there is no such run. Errors: busy, if the run is
  /// unfinished: saving it would undo the change.
  [[nodiscard]] Result<bool> set_tags(std::string_view run_id, std::span<const std::string> tags);

  // ---- reading ----------------------------------------------------------------------------------

  /// Empty if there is no such run. So are the results of the calls below.
  [[nodiscard]] Result<std::optional<ProfiledRun>> get_run(std::string_view run_id,
                                                           const RunParts& parts = {});
  /// For runs that are too long for memory: everything except the lists in RunRows.
  [[nodiscard]] Result<std::optional<RunHead>> run_head(std::string_view run_id);
  /// About `rows` rows of a list, starting at `from`. Holds no lock between two calls, so that a
  /// slow reader blocks no other program. Errors: not_found, if the run was deleted or replaced
  /// since its head was read.
  [[nodiscard]] Result<RunPage> read_page(const RunHead& head, RunRows list, const RunPlace& from,
                                          std::size_t rows);
  /// The operations of these passes, summed. Reads only those passes.
  [[nodiscard]] Result<std::optional<OperationSums>> operation_sums(std::string_view run_id,
                                                                    const PassRange& range = {});
  /// Activations and attention of these passes, without the choices of experts.
  [[nodiscard]] Result<std::optional<SampledValues>> sampled_values(std::string_view run_id,
                                                                    const PassRange& range = {});
  [[nodiscard]] Result<std::optional<RunSummary>> summary(std::string_view run_id);
  [[nodiscard]] Result<std::optional<RunPipeline>> pipeline(std::string_view run_id);
  /// With at most `points` points per series, chosen by largest triangle three buckets so that
  /// peaks stay; 0: all points.
  [[nodiscard]] Result<std::optional<PowerTimeline>> power_timeline(std::string_view run_id,
                                                                    std::size_t points = 0);
  /// Of one phase, or of all phases together.
  [[nodiscard]] Result<std::optional<LayerComponentMatrix>> layer_components(
      std::string_view run_id, std::optional<Phase> phase = std::nullopt);

  /// The full id of the run that an id, a unique prefix or "last" names. "last" is the run that
  /// started last and is not a request of a capture; if several started then, the one saved last.
  /// Errors: not_found;
  /// invalid_argument, if several runs match (the hint lists them).
  [[nodiscard]] Result<std::string> resolve(std::string_view id_or_prefix);
  /// Sorted as the filter says, then cut to offset and limit.
  [[nodiscard]] Result<RunList> list_runs(const RunFilter& filter = {});
  /// The same, but ids only: prompts may be long.
  [[nodiscard]] Result<RunIds> find_runs(const RunFilter& filter = {});
  /// The summaries of these runs, from the first on, until their texts exceed `bytes`.
  [[nodiscard]] Result<RunSummaries> summaries(std::span<const std::string> run_ids,
                                               std::size_t bytes);

  /// The experiments that runs belong to; the one of the latest run comes first.
  [[nodiscard]] Result<std::vector<ExperimentSummary>> experiments();

  // ---- looking after it -------------------------------------------------------------------------

  [[nodiscard]] StoreHealth health() const;
  [[nodiscard]] Result<DatabaseStats> stats();
  /// SQLite's own check of the whole file and of its foreign keys, and ours of the names that rows
  /// refer to.
  [[nodiscard]] Result<CheckReport> check();
  /// Gives unused space back. Needs as much free disk space as the file has.
  [[nodiscard]] Result<void> vacuum();
  /// The runs that the rule selects, oldest first. Deletes them if `apply` is true.
  [[nodiscard]] Result<std::vector<RunSummary>> prune(const PruneRule& rule, bool apply);
  /// Copies the file as it is at this moment; other programs may read and write it meanwhile.
  /// Errors: invalid_argument, if the target exists; those of writing the target.
  [[nodiscard]] Result<void> backup(const std::filesystem::path& target);
  /// Replaces the content of the database by a copy, even while programs have it open. The previous
  /// content is kept in a file beside it. Errors: those of connect() for either file; corrupt, if
  /// the copy is damaged. On failure the database is as it was.
  [[nodiscard]] static Result<RestoreReport> restore(const std::filesystem::path& path,
                                                     const std::filesystem::path& copy);
  /// For long-lived programs to call about once a second. Retries saving the runs that are kept in
  /// memory, and closes a file that was not used for a while, so that it can be replaced. The next
  /// call opens it again.
  void tend();
  /// Whether a finished run could not be saved yet. It is kept in memory, and read from there.
  [[nodiscard]] bool is_unsaved(std::string_view run_id) const;
  /// All such runs, oldest first.
  [[nodiscard]] std::vector<UnsavedRun> unsaved_runs() const;
  /// Tries now to save the runs that are kept in memory; returns the ids of those that were saved.
  std::vector<std::string> save_unsaved_runs();
  /// Copies what can be read of a damaged file into a new file. Errors: invalid_argument, if the
  /// target exists; corrupt, if nothing can be read.
  [[nodiscard]] static Result<SalvageReport> salvage(const std::filesystem::path& damaged,
                                                     const std::filesystem::path& target);

 private:
  // For unfinished runs: see src/store/step_store.hpp.
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
