#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "store/connection.hpp"
#include "store/database_access.hpp"
#include "store/database_file.hpp"
#include "store/housekeeping.hpp"
#include "store/kept_runs.hpp"
#include "store/layer_matrix.hpp"
#include "store/power_timeline.hpp"
#include "store/restore.hpp"
#include "store/run_index.hpp"
#include "store/run_journal.hpp"
#include "store/run_lock.hpp"
#include "store/run_pages.hpp"
#include "store/run_reader.hpp"
#include "store/run_steps.hpp"
#include "store/run_writer.hpp"
#include "store/salvage.hpp"
#include "store/step_store.hpp"
#include "store/waiting_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

std::unexpected<Error> not_connected() {
  return fail(ErrorCode::not_running, "Database connection not established. Call connect() first.",
              "This ProfileDatabase was never connected, or has been moved from.");
}

}  // namespace

class ProfileDatabase::Impl {
 public:
  Impl(std::unique_ptr<Connection> connection, std::filesystem::path path,
       const DatabaseOptions& options)
      : access_(std::move(connection), std::move(path), options), waiting_(access_) {}

  [[nodiscard]] const std::filesystem::path& path() const { return access_.path(); }
  [[nodiscard]] DatabaseAccess& access() { return access_; }
  [[nodiscard]] WaitingRuns& waiting() { return waiting_; }

  [[nodiscard]] StoreHealth health() const {
    StoreHealth health = access_.health();
    health.unsaved_runs = waiting_.count();
    return health;
  }

  /// Runs a body that reads from one run, saved or kept, in one snapshot.
  template <class Body>
  [[nodiscard]] auto read_of(std::string_view run_id, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    using Outcome = std::invoke_result_t<Body, SQLite::Database&>;
    const std::string what = fmt::format("read run {}", run_id);
    auto kept = waiting_.with([&](KeptRuns& runs) -> std::optional<Outcome> {
      if (!runs.has(run_id)) {
        return std::nullopt;
      }
      return guarded({.path = path(), .what = what}, [&] { return body(runs.database()); });
    });
    return kept ? *std::move(kept) : access_.read(what, std::forward<Body>(body));
  }

 private:
  DatabaseAccess access_;
  WaitingRuns waiting_;  // its destructor tries once more to save them
};

Result<ProfileDatabase> ProfileDatabase::connect(const std::filesystem::path& path,
                                                 const DatabaseOptions& options) {
  auto connection = Connection::open(path, options);
  if (!connection) {
    kLog.error("Database connection failed: {}", connection.error().message);
    return std::unexpected(std::move(connection.error()));
  }
  kLog.info("Connected to profiling database at {}", path.string());
  return ProfileDatabase{std::make_unique<Impl>(*std::move(connection), path, options)};
}

ProfileDatabase ProfileDatabase::connect_later(const std::filesystem::path& path,
                                               const DatabaseOptions& options) {
  return ProfileDatabase{std::make_unique<Impl>(nullptr, path, options)};
}

Result<std::filesystem::path> ProfileDatabase::default_path() { return default_database_path(); }

ProfileDatabase::ProfileDatabase() noexcept = default;
ProfileDatabase::ProfileDatabase(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProfileDatabase::ProfileDatabase(ProfileDatabase&& other) noexcept = default;
ProfileDatabase& ProfileDatabase::operator=(ProfileDatabase&& other) noexcept = default;
ProfileDatabase::~ProfileDatabase() = default;

const std::filesystem::path& ProfileDatabase::path() const noexcept {
  static const std::filesystem::path none;
  return impl_ ? impl_->path() : none;
}

// ---- writing ------------------------------------------------------------------------------------

Result<void> ProfileDatabase::save_run(const ProfiledRun& run) {
  const auto save = [&]() -> Result<void> {
    if (!impl_) {
      return not_connected();
    }
    if (auto good = check_run(run); !good) {
      return good;
    }
    return impl_->access().write(
        fmt::format("save run {}", run.run_id), bytes_to_save(run),
        [&](SQLite::Database& database) { return replace_run(database, impl_->path(), run); },
        DatabaseAccess::Try::anyway);
  };
  Result<void> saved = save();
  if (!saved) {
    kLog.error("Failed to save run to database: {}", saved.error().message);
    return saved;
  }
  impl_->access().checkpoint();
  kLog.debug("Added {} power samples for run {}", run.power.samples.size(), run.run_id);
  kLog.info("Profiling run {} saved to database", run.run_id);
  return saved;
}

Result<void> ProfileDatabase::begin_run(const ProfiledRun& run,
                                        std::optional<Nanoseconds> patience) {
  if (!impl_) {
    return not_connected();
  }
  if (auto good = check_run(run); !good) {
    return good;
  }
  return impl_->access().write(
      fmt::format("begin run {}", run.run_id), bytes_to_save(run),
      [&](SQLite::Database& database) {
        return insert_unfinished_run(database, impl_->path(), run);
      },
      DatabaseAccess::Try::if_healthy, patience);
}

Result<void> ProfileDatabase::append_steps(std::string_view run_id, std::span<const RunStep> steps,
                                           std::optional<Nanoseconds> patience) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().write(
      fmt::format("append to run {}", run_id), bytes_to_append(steps),
      [&](SQLite::Database& database) {
        return write_steps(database, impl_->path(), run_id, steps);
      },
      DatabaseAccess::Try::if_healthy, patience);
}

Result<bool> ProfileDatabase::delete_run(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  const bool is_kept = impl_->waiting().has(run_id);  // this process then holds its lock
  if (!is_kept) {
    // Another process that is writing the run would create it again with its next step.
    auto lock = RunLock::acquire(impl_->path(), run_id);
    if (!lock && lock.error().code == ErrorCode::busy) {
      return std::unexpected(std::move(lock.error()));
    }
  }
  auto erased = impl_->access().write(
      fmt::format("delete run {}", run_id), 0,
      [&](SQLite::Database& database) -> Result<bool> { return erase_run(database, run_id); });
  if (erased) {
    if (auto removed = remove_journal(journal_path(impl_->path(), run_id)); !removed) {
      return std::unexpected(std::move(removed.error()));
    }
    // Only now: if the database cannot be written, the run stays kept.
    *erased = (is_kept && impl_->waiting().drop(run_id)) || *erased;
  }
  return erased;
}

Result<bool> ProfileDatabase::set_tags(std::string_view run_id, std::span<const std::string> tags) {
  if (!impl_) {
    return not_connected();
  }
  if (auto tagged = impl_->waiting().set_tags(run_id, tags); !tagged || *tagged) {
    return tagged;
  }
  return impl_->access().write(fmt::format("tag run {}", run_id), 0,
                               [&](SQLite::Database& database) -> Result<bool> {
                                 return replace_tags(database, run_id, tags);
                               });
}

// ---- reading ------------------------------------------------------------------------------------

Result<std::optional<ProfiledRun>> ProfileDatabase::get_run(std::string_view run_id,
                                                            const RunParts& parts) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id,
                        [&](SQLite::Database& database) -> Result<std::optional<ProfiledRun>> {
                          return read_run(database, run_id, parts);
                        });
}

Result<std::optional<RunHead>> ProfileDatabase::run_head(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id, [&](SQLite::Database& database) -> Result<std::optional<RunHead>> {
    return read_head(database, run_id);
  });
}

Result<RunPage> ProfileDatabase::read_page(const RunHead& head, RunRows list, const RunPlace& from,
                                           std::size_t rows) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(head.run.run_id, [&](SQLite::Database& database) -> Result<RunPage> {
    if (auto page = enprof::read_page(database, head, list, from, rows)) {
      return *std::move(page);
    }
    return fail(ErrorCode::not_found,
                fmt::format("Run {} was deleted or replaced while it was read", head.run.run_id),
                "Read it again from the start, where it is still there: enprof runs");
  });
}

Result<std::optional<OperationSums>> ProfileDatabase::operation_sums(std::string_view run_id,
                                                                     const PassRange& range) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id,
                        [&](SQLite::Database& database) -> Result<std::optional<OperationSums>> {
                          return sum_operations(database, run_id, range);
                        });
}

Result<std::optional<SampledValues>> ProfileDatabase::sampled_values(std::string_view run_id,
                                                                     const PassRange& range) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id,
                        [&](SQLite::Database& database) -> Result<std::optional<SampledValues>> {
                          return read_values(database, run_id, range);
                        });
}

Result<std::optional<RunSummary>> ProfileDatabase::summary(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id,
                        [&](SQLite::Database& database) -> Result<std::optional<RunSummary>> {
                          return read_summary(database, run_id);
                        });
}

Result<std::optional<RunPipeline>> ProfileDatabase::pipeline(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id,
                        [&](SQLite::Database& database) -> Result<std::optional<RunPipeline>> {
                          return read_pipeline(database, run_id);
                        });
}

Result<std::optional<PowerTimeline>> ProfileDatabase::power_timeline(std::string_view run_id,
                                                                     std::size_t points) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id,
                        [&](SQLite::Database& database) -> Result<std::optional<PowerTimeline>> {
                          return read_power_timeline(database, run_id, points);
                        });
}

Result<std::optional<LayerComponentMatrix>> ProfileDatabase::layer_components(
    std::string_view run_id, std::optional<Phase> phase) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(
      run_id, [&](SQLite::Database& database) -> Result<std::optional<LayerComponentMatrix>> {
        return read_layer_components(database, run_id, phase);
      });
}

Result<std::string> ProfileDatabase::resolve(std::string_view id_or_prefix) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read(
      fmt::format("look up run {}", id_or_prefix),
      [&](SQLite::Database& database) { return resolve_run(database, id_or_prefix); });
}

Result<RunList> ProfileDatabase::list_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read("list the runs", [&](SQLite::Database& database) -> Result<RunList> {
    return impl_->waiting().with(
        [&](KeptRuns& kept) { return list_saved_and_kept(database, kept, filter); });
  });
}

Result<RunIds> ProfileDatabase::find_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read("list the runs", [&](SQLite::Database& database) -> Result<RunIds> {
    return impl_->waiting().with([&](KeptRuns& kept) {
      if (kept.empty()) {
        return find_run_ids(database, filter);
      }
      const RunList list = list_saved_and_kept(database, kept, filter);
      RunIds found{.ids = {}, .total = list.total};
      std::ranges::transform(list.runs, std::back_inserter(found.ids), &RunSummary::run_id);
      return found;
    });
  });
}

Result<std::vector<ExperimentSummary>> ProfileDatabase::experiments() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read(
      "list the experiments",
      [&](SQLite::Database& database) -> Result<std::vector<ExperimentSummary>> {
        return impl_->waiting().with(
            [&](KeptRuns& kept) { return experiments_saved_and_kept(database, kept); });
      });
}

Result<RunSummaries> ProfileDatabase::summaries(std::span<const std::string> run_ids,
                                                std::size_t bytes) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read(
      "list the runs", [&](SQLite::Database& database) -> Result<RunSummaries> {
        return impl_->waiting().with([&](KeptRuns& kept) {
          // The leading ids that are in the same place, kept or saved.
          const auto is_kept = [&](const std::string& id) { return kept.has(id); };
          if (!run_ids.empty() && is_kept(run_ids.front())) {
            const auto end = std::ranges::find_if_not(run_ids, is_kept);
            return read_summaries(kept.database(), {run_ids.begin(), end}, bytes);
          }
          return read_summaries(database, {run_ids.begin(), std::ranges::find_if(run_ids, is_kept)},
                                bytes);
        });
      });
}

Result<std::vector<std::string>> ProfileDatabase::unfinished_runs() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read("list the unfinished runs",
                              [&](SQLite::Database& database) -> Result<std::vector<std::string>> {
                                std::vector<std::string> runs = find_unfinished_runs(database);
                                std::erase_if(runs, [&](const std::string& run_id) {
                                  return impl_->waiting().has(run_id);  // it is finished
                                });
                                return runs;
                              });
}

Result<std::vector<RunStep>> ProfileDatabase::read_steps(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read_of(run_id, [&](SQLite::Database& database) -> Result<std::vector<RunStep>> {
    return enprof::read_steps(database, run_id);
  });
}

// ---- looking after it ---------------------------------------------------------------------------

StoreHealth ProfileDatabase::health() const {
  if (!impl_) {
    return {.state = BreakerState::open, .last_error = not_connected().error()};
  }
  return impl_->health();
}

Result<DatabaseStats> ProfileDatabase::stats() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read("count what is in the database",
                              [&](SQLite::Database& database) -> Result<DatabaseStats> {
                                return count_all(database, impl_->path());
                              });
}

Result<CheckReport> ProfileDatabase::check() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().read(
      "check the database",
      [&](SQLite::Database& database) -> Result<CheckReport> { return check_all(database); });
}

Result<void> ProfileDatabase::vacuum() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().with_connection("give back the unused space of the database",
                                         2 * file_bytes(impl_->path()),
                                         [](Connection& connection) -> Result<void> {
                                           connection.database().exec("VACUUM");
                                           connection.checkpoint("TRUNCATE");
                                           return {};
                                         });
}

Result<std::vector<RunSummary>> ProfileDatabase::prune(const PruneRule& rule, bool apply) {
  if (!impl_) {
    return not_connected();
  }
  const WallTime now =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  if (!apply) {
    return impl_->access().read("look for old runs",
                                [&](SQLite::Database& database) -> Result<std::vector<RunSummary>> {
                                  return find_old_runs(database, rule, now);
                                });
  }
  return impl_->access().write("delete old runs", 0,
                               [&](SQLite::Database& database) -> Result<std::vector<RunSummary>> {
                                 std::vector<RunSummary> runs = find_old_runs(database, rule, now);
                                 for (const RunSummary& run : runs) {
                                   erase_run(database, run.run_id);
                                 }
                                 return runs;
                               });
}

Result<void> ProfileDatabase::backup(const std::filesystem::path& target) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->access().with_connection("copy the database", 0, [&](Connection& connection) {
    return back_up(connection.database(), target);
  });
}

Result<RestoreReport> ProfileDatabase::restore(const std::filesystem::path& path,
                                               const std::filesystem::path& copy) {
  return restore_database(path, copy);
}

void ProfileDatabase::tend() {
  if (impl_) {
    impl_->waiting().save_if_due();
    impl_->access().close_if_idle();
  }
}

std::vector<UnsavedRun> ProfileDatabase::unsaved_runs() const {
  std::vector<UnsavedRun> runs;
  if (impl_) {
    impl_->waiting().with([&](KeptRuns& kept) {
      std::ranges::transform(kept.entries(), std::back_inserter(runs),
                             [](const KeptRuns::Entry& entry) {
                               return UnsavedRun{.run_id = entry.run_id, .journal = entry.journal};
                             });
    });
  }
  return runs;
}

bool ProfileDatabase::is_unsaved(std::string_view run_id) const {
  return impl_ && impl_->waiting().has(run_id);
}

std::vector<std::string> ProfileDatabase::save_unsaved_runs() {
  return impl_ ? impl_->waiting().save_all() : std::vector<std::string>{};
}

bool ProfileDatabase::keep_run(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                               std::filesystem::path journal) {
  return impl_ && impl_->waiting().keep(run, std::move(lock), std::move(journal));
}

Result<SalvageReport> ProfileDatabase::salvage(const std::filesystem::path& damaged,
                                               const std::filesystem::path& target) {
  return salvage_database(damaged, target);
}

}  // namespace enprof
