#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"
#include "store/circuit_breaker.hpp"
#include "store/connection.hpp"
#include "store/database_file.hpp"
#include "store/housekeeping.hpp"
#include "store/kept_runs.hpp"
#include "store/layer_matrix.hpp"
#include "store/log_owner.hpp"
#include "store/power_timeline.hpp"
#include "store/reading_connections.hpp"
#include "store/restore.hpp"
#include "store/run_index.hpp"
#include "store/run_journal.hpp"
#include "store/run_lock.hpp"
#include "store/run_pages.hpp"
#include "store/run_reader.hpp"
#include "store/run_steps.hpp"
#include "store/run_writer.hpp"
#include "store/salvage.hpp"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

std::unexpected<Error> not_connected() {
  return fail(ErrorCode::not_running, "Database connection not established. Call connect() first.",
              "This ProfileDatabase was never connected, or has been moved from.");
}

/// Whether an error says something about the store, rather than about what it was asked.
bool is_trouble(const Error& error) {
  switch (error.code) {
    case ErrorCode::busy:
    case ErrorCode::corrupt:
    case ErrorCode::io:
    case ErrorCode::permission_denied:
    case ErrorCode::too_large:
    case ErrorCode::unavailable:
    case ErrorCode::internal:
      return true;
    default:
      return false;
  }
}

}  // namespace

class ProfileDatabase::Impl {
 public:
  Impl(std::unique_ptr<Connection> connection, std::filesystem::path path,
       const DatabaseOptions& options)
      : connection_(std::move(connection)),
        path_(std::move(path)),
        options_(options),
        readers_(path_, options_),
        breaker_(fmt::format("The database {}", path_.string()),
                 options.clock != nullptr ? *options.clock : monotonic_clock()),
        clock_(options.clock != nullptr ? *options.clock : monotonic_clock()),
        used_at_(clock_.now()) {
    follow_connection();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    save_kept();
    for (const KeptRuns::Entry& entry : kept_.entries()) {
      if (entry.journal.empty()) {
        kLog.error("Run {} could not be saved up to the end of this program: it is lost",
                   entry.run_id);
      }
    }
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] StoreHealth health() const {
    const std::lock_guard lock(state_mutex_);
    StoreHealth health = breaker_.health();
    health.read_error = read_error_;
    health.unsaved_runs = kept_count_;
    return health;
  }

  /// Runs a body that reads of one run, wherever it is, in one snapshot.
  template <class Body>
  [[nodiscard]] auto read_of(std::string_view run_id, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    {
      const std::lock_guard lock(kept_mutex_);
      if (kept_.has(run_id)) {
        return guarded({.path = path_, .what = fmt::format("read run {}", run_id)},
                       [&] { return body(kept_.database()); });
      }
    }
    return read(fmt::format("read run {}", run_id), std::forward<Body>(body));
  }

  /// Runs a body that reads, in one snapshot, beside whoever writes.
  template <class Body>
  [[nodiscard]] auto read(std::string what, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    auto outcome = [&] {
      if (auto reader = readers_.take()) {
        used_at_ = clock_.now();
        auto found = read_with(*reader, std::move(what), std::forward<Body>(body));
        readers_.give_back(std::move(reader));
        return found;
      }
      return read_between_writes(std::move(what), std::forward<Body>(body));
    }();
    const std::lock_guard lock(state_mutex_);
    read_error_ =
        !outcome && is_trouble(outcome.error()) ? std::optional{outcome.error()} : std::nullopt;
    return outcome;
  }

  enum class Try { if_healthy, anyway };

  /// Runs a body that writes, in one transaction that is taken back where it fails.
  template <class Body>
  [[nodiscard]] auto write(std::string what, std::uintmax_t bytes, Body&& body,
                           Try when = Try::if_healthy,
                           std::optional<Nanoseconds> patience = std::nullopt)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    using Outcome = std::invoke_result_t<Body, SQLite::Database&>;
    const std::lock_guard lock(mutex_);
    if (auto allowed = may_write(); !allowed && when == Try::if_healthy) {
      return std::unexpected(std::move(allowed.error()));
    }
    Outcome outcome = [&]() -> Outcome {
      if (auto connected = connect(); !connected) {
        return std::unexpected(std::move(connected.error()));
      }
      connection_->set_patience(patience.value_or(options_.busy_timeout));
      return guarded(connection_->action(std::move(what), bytes), [&]() -> Outcome {
        SQLite::Database& database = connection_->database();
        SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
        Outcome result = std::forward<Body>(body)(database);
        if (result) {
          transaction.commit();
        }
        return result;
      });
    }();
    if (connection_) {
      connection_->set_patience(options_.busy_timeout);
    }
    note(outcome ? nullptr : &outcome.error());
    return outcome;
  }

  /// Runs a body that needs the connection for itself, outside a transaction.
  template <class Body>
  [[nodiscard]] auto use(std::string what, std::uintmax_t bytes, Body&& body)
      -> std::invoke_result_t<Body, Connection&> {
    const std::lock_guard lock(mutex_);
    if (auto connected = connect(); !connected) {
      return std::unexpected(std::move(connected.error()));
    }
    return guarded(connection_->action(std::move(what), bytes),
                   [&] { return std::forward<Body>(body)(*connection_); });
  }

  /// Runs a body on the runs that are kept. It may be called from a body that reads.
  template <class Body>
  [[nodiscard]] auto with_kept(Body&& body) -> std::invoke_result_t<Body, KeptRuns&> {
    const std::lock_guard lock(kept_mutex_);
    return std::forward<Body>(body)(kept_);
  }

  [[nodiscard]] bool keep(const ProfiledRun& run, std::unique_ptr<RunLock> run_lock,
                          std::filesystem::path journal) {
    const std::lock_guard lock(kept_mutex_);
    if (const auto added = kept_.add(run, std::move(run_lock), std::move(journal)); !added) {
      kLog.error("{}", added.error().message);
      return false;
    }
    kept_count_ = kept_.size();
    retry_at_ = clock_.now() + kRetryPause;
    return true;
  }

  /// Gives a run that is kept these tags, which it has also when it is saved; false where it is not
  /// kept. A journal that it has elsewhere does not get them.
  [[nodiscard]] Result<bool> tag_kept(std::string_view run_id, std::span<const std::string> tags) {
    const std::lock_guard unsaved(saving_mutex_);
    const std::lock_guard lock(kept_mutex_);
    return kept_.has(run_id) ? kept_.set_tags(run_id, tags) : false;
  }

  /// True where it was kept.
  [[nodiscard]] bool forget_kept(std::string_view run_id) {
    const std::lock_guard lock(kept_mutex_);
    const auto found = std::ranges::find(kept_.entries(), run_id, &KeptRuns::Entry::run_id);
    if (found == kept_.entries().end()) {
      return false;
    }
    const std::filesystem::path journal = found->journal;
    kept_.remove(run_id);
    kept_count_ = kept_.size();
    drop_journal(journal);
    return true;
  }

  void tend() {
    bool due = false;
    {
      const std::lock_guard lock(kept_mutex_);
      due = !kept_.empty() && clock_.now() >= retry_at_ && worth_a_try();
    }
    if (due) {
      save_kept();
    }
    rest();
  }

  [[nodiscard]] bool keeps(std::string_view run_id) const {
    const std::lock_guard lock(kept_mutex_);
    return kept_.has(run_id);
  }

  /// Tries to save what is kept, oldest first, until one is not taken. Those that are saved now.
  std::vector<std::string> save_kept() {
    std::vector<std::string> run_ids;
    {
      const std::lock_guard lock(kept_mutex_);
      for (const KeptRuns::Entry& entry : kept_.entries()) {
        run_ids.push_back(entry.run_id);
      }
    }
    const auto first_left =
        std::ranges::find_if(run_ids, [this](const std::string& id) { return !save_kept(id); });
    run_ids.erase(first_left, run_ids.end());
    return run_ids;
  }

  /// Puts what was committed on disk for good.
  void drain_log() {
    const std::lock_guard lock(mutex_);
    if (connection_) {
      connection_->drain_log("PASSIVE");
    }
  }

 private:
  static constexpr Nanoseconds kRetryPause = std::chrono::seconds{2};
  /// Where the disk was full and has as little room as then.
  static constexpr Nanoseconds kFullPause = std::chrono::seconds{15};
  static constexpr Nanoseconds kRestAfter = std::chrono::seconds{1};
  static constexpr Nanoseconds kSavePatience = std::chrono::seconds{1};

  template <class Body>
  [[nodiscard]] static auto read_with(Connection& connection, std::string what, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    return guarded(connection.action(std::move(what)), [&] {
      const SQLite::Transaction snapshot(connection.database());
      return std::forward<Body>(body)(connection.database());
    });
  }

  /// With the connection that writes: it is there where no other can be had, and connects again.
  template <class Body>
  [[nodiscard]] auto read_between_writes(std::string what, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    const std::lock_guard lock(mutex_);
    if (auto connected = connect(); !connected) {
      return std::unexpected(std::move(connected.error()));
    }
    return read_with(*connection_, std::move(what), std::forward<Body>(body));
  }

  /// Others may read the file beside the connection, unless that one changes nothing itself.
  void follow_connection() {
    if (options_.access != Access::read_only) {
      readers_.follow(*connection_);
    }
  }

  static void drop_journal(const std::filesystem::path& journal) {
    if (!journal.empty()) {
      if (const auto removed = remove_journal(journal); !removed) {
        kLog.warning("{}", removed.error().message);
      }
    }
  }

  [[nodiscard]] std::optional<std::uintmax_t> free_bytes() const {
    std::error_code unknown;
    const auto space = std::filesystem::space(directory_of(follow_links(path_)), unknown);
    return unknown ? std::nullopt : std::optional{space.available};
  }

  /// To write a whole run only to see that there is as little room as before is work for nothing.
  [[nodiscard]] bool worth_a_try() const {
    return !full_with_ || free_bytes() != full_with_ || clock_.now() >= retry_at_ + kFullPause;
  }

  /// Whether the database has the run, and not only a part of it.
  [[nodiscard]] bool is_over_there(const std::string& run_id) {
    const auto there = read(fmt::format("look for run {}", run_id),
                            [&](SQLite::Database& database) -> Result<std::optional<RunSummary>> {
                              return read_summary(database, run_id);
                            });
    return there && *there && (*there)->status != RunStatus::running &&
           (*there)->status != RunStatus::interrupted;
  }

  /// False where the database does not take it now.
  bool save_kept(const std::string& run_id) {
    const std::lock_guard saving(saving_mutex_);
    Result<ProfiledRun> run = [&] {
      const std::lock_guard lock(kept_mutex_);
      return kept_.to_save(run_id);
    }();
    if (!run) {
      kLog.error("{}", run.error().message);
      return true;
    }
    const auto saved = write(
        fmt::format("save run {}", run_id), bytes_to_save(*run),
        [&](SQLite::Database& database) { return replace_run(database, path_, *run); }, Try::anyway,
        kSavePatience);
    if (!saved && !is_over_there(run_id)) {
      const std::lock_guard lock(kept_mutex_);
      retry_at_ = clock_.now() + kRetryPause;
      full_with_ = saved.error().code == ErrorCode::too_large ? free_bytes() : std::nullopt;
      return false;
    }
    if (saved) {
      drain_log();
      kLog.info("Profiling run {} saved to database", run_id);
    } else {
      kLog.warning("{}", saved.error().message);  // it is there: somebody brought its journal in
    }
    static_cast<void>(forget_kept(run_id));
    drop_journal(journal_path(path_, run_id));
    return true;
  }

  /// Closes a file that nobody has used for a while: then SQLite leaves nothing beside it, and
  /// whoever puts another in its place does no harm.
  void rest() {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || !connection_ || clock_.now() - used_at_.load() < kRestAfter) {
      return;
    }
    readers_.stop();
    if (connection_->lost()) {
      Connection::part(std::move(connection_));
    }
    connection_.reset();
    rested_ = FileIdentity::of(path_);
  }

  Result<void> open_again() {
    const auto now_there = FileIdentity::of(path_);
    auto opened = Connection::open(path_, options_);
    if (!opened) {
      kLog.error("Database connection failed: {}", opened.error().message);
      return std::unexpected(std::move(opened.error()));
    }
    connection_ = *std::move(opened);
    follow_connection();
    if (!rested_) {
      kLog.info("Connected to profiling database at {} again", path_.string());
    } else if (now_there != rested_) {
      kLog.warning("{} while it was not in use: runs of before are where it was moved to",
                   now_there ? fmt::format("Another file has taken the place of {}", path_.string())
                             : fmt::format("The database {} was taken away, and a new one is made",
                                           path_.string()));
    }
    rested_.reset();
    return {};
  }

  /// Connects anew where the connection was lost before; says so where it is lost now.
  Result<void> connect() {
    used_at_ = clock_.now();
    if (!connection_) {
      return open_again();
    }
    if (!connection_->lost()) {
      return {};
    }
    readers_.stop();
    Connection::part(std::move(connection_));
    const std::string file = shell_quote(path_.string());
    Error error{
        ErrorCode::io,
        fmt::format("The connection to the database {} is lost: the file was deleted, moved "
                    "or replaced while it was open",
                    path_.string()),
        fmt::format("A file that was moved is whole where it is now. To have its runs here again, "
                    "also while programs use this place: enprof db restore FILE --db {0}. Or leave "
                    "it: the next attempt connects anew, and makes a new file where there is none "
                    "(ls -l {0}).",
                    file)};
    kLog.error("Database connection failed: {}", error.message);
    return std::unexpected(std::move(error));
  }

  [[nodiscard]] Result<void> may_write() const {
    const std::lock_guard lock(state_mutex_);
    return breaker_.allow();
  }

  void note(const Error* error) {
    if (error != nullptr && !is_trouble(*error)) {
      return;
    }
    {
      const std::lock_guard lock(state_mutex_);
      if (error == nullptr) {
        breaker_.succeeded();
      } else {
        breaker_.failed(*error);
      }
    }
    if (error != nullptr && error->code == ErrorCode::too_large && connection_) {
      connection_->drain_log("TRUNCATE");
    }
  }

  std::mutex saving_mutex_;  // while a kept run is saved, or changed; taken before all others
  std::mutex mutex_;         // of who writes; guards the connection
  std::unique_ptr<Connection> connection_;  // null after it was lost, and while it rests
  std::optional<FileIdentity> rested_;      // the file that was closed because nobody used it
  std::filesystem::path path_;
  DatabaseOptions options_;
  ReadingConnections readers_;
  mutable std::mutex state_mutex_;  // guards what follows; held for no longer than it takes to copy
  CircuitBreaker breaker_;
  std::optional<Error> read_error_;  // of the last read
  const Clock& clock_;
  std::atomic<Instant> used_at_;
  mutable std::mutex kept_mutex_;  // guards what follows; taken after mutex_, never before it
  KeptRuns kept_;
  std::atomic<std::size_t> kept_count_{0};   // for who must not wait
  Instant retry_at_;                         // what is kept
  std::optional<std::uintmax_t> full_with_;  // free bytes when the disk was full last
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

// ---- writing
// -------------------------------------------------------------------------------------

Result<void> ProfileDatabase::save_run(const ProfiledRun& run) {
  const auto save = [&]() -> Result<void> {
    if (!impl_) {
      return not_connected();
    }
    if (auto good = check_run(run); !good) {
      return good;
    }
    return impl_->write(
        fmt::format("save run {}", run.run_id), bytes_to_save(run),
        [&](SQLite::Database& database) { return replace_run(database, impl_->path(), run); },
        Impl::Try::anyway);
  };
  Result<void> saved = save();
  if (!saved) {
    kLog.error("Failed to save run to database: {}", saved.error().message);
    return saved;
  }
  impl_->drain_log();
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
  return impl_->write(
      fmt::format("begin run {}", run.run_id), bytes_to_save(run),
      [&](SQLite::Database& database) { return enter_run(database, impl_->path(), run); },
      Impl::Try::if_healthy, patience);
}

Result<void> ProfileDatabase::append_steps(std::string_view run_id, std::span<const RunStep> steps,
                                           std::optional<Nanoseconds> patience) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->write(
      fmt::format("write on run {}", run_id), bytes_to_append(steps),
      [&](SQLite::Database& database) {
        return write_steps(database, impl_->path(), run_id, steps);
      },
      Impl::Try::if_healthy, patience);
}

Result<bool> ProfileDatabase::delete_run(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  const bool is_kept = impl_->keeps(run_id);  // with its lock
  if (!is_kept) {
    // What another program writes would be there again with its next step.
    auto lock = RunLock::take(impl_->path(), run_id);
    if (!lock && lock.error().code == ErrorCode::busy) {
      return std::unexpected(std::move(lock.error()));
    }
  }
  auto erased = impl_->write(
      fmt::format("delete run {}", run_id), 0,
      [&](SQLite::Database& database) -> Result<bool> { return erase_run(database, run_id); });
  if (erased) {
    if (auto removed = remove_journal(journal_path(impl_->path(), run_id)); !removed) {
      return std::unexpected(std::move(removed.error()));
    }
    // Not before: where the database cannot be written, the run stays where it is.
    *erased = (is_kept && impl_->forget_kept(run_id)) || *erased;
  }
  return erased;
}

Result<bool> ProfileDatabase::set_tags(std::string_view run_id, std::span<const std::string> tags) {
  if (!impl_) {
    return not_connected();
  }
  if (auto tagged = impl_->tag_kept(run_id, tags); !tagged || *tagged) {
    return tagged;
  }
  return impl_->write(fmt::format("tag run {}", run_id), 0,
                      [&](SQLite::Database& database) -> Result<bool> {
                        return replace_tags(database, run_id, tags);
                      });
}

// ---- reading
// -------------------------------------------------------------------------------------

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
  return impl_->read(fmt::format("look up run {}", id_or_prefix), [&](SQLite::Database& database) {
    return resolve_run(database, id_or_prefix);
  });
}

Result<RunList> ProfileDatabase::list_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the runs", [&](SQLite::Database& database) -> Result<RunList> {
    return impl_->with_kept(
        [&](KeptRuns& kept) { return list_saved_and_kept(database, kept, filter); });
  });
}

Result<RunIds> ProfileDatabase::find_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the runs", [&](SQLite::Database& database) -> Result<RunIds> {
    return impl_->with_kept([&](KeptRuns& kept) {
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

Result<RunSummaries> ProfileDatabase::summaries(std::span<const std::string> run_ids,
                                                std::size_t bytes) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the runs", [&](SQLite::Database& database) -> Result<RunSummaries> {
    return impl_->with_kept([&](KeptRuns& kept) {
      // Those at the beginning that are in the same place.
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
  return impl_->read("list the unfinished runs",
                     [&](SQLite::Database& database) -> Result<std::vector<std::string>> {
                       std::vector<std::string> runs = find_unfinished_runs(database);
                       std::erase_if(runs, [&](const std::string& run_id) {
                         return impl_->keeps(run_id);  // it is over
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

// ---- looking after it
// ----------------------------------------------------------------------------

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
  return impl_->read("count what is in the database",
                     [&](SQLite::Database& database) -> Result<DatabaseStats> {
                       return count_all(database, impl_->path());
                     });
}

Result<CheckReport> ProfileDatabase::check() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("check the database", [&](SQLite::Database& database) -> Result<CheckReport> {
    return check_all(database);
  });
}

Result<void> ProfileDatabase::vacuum() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->use("give back the unused space of the database", 2 * file_bytes(impl_->path()),
                    [](Connection& connection) -> Result<void> {
                      connection.database().exec("VACUUM");
                      connection.drain_log("TRUNCATE");
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
    return impl_->read("look for old runs",
                       [&](SQLite::Database& database) -> Result<std::vector<RunSummary>> {
                         return find_old_runs(database, rule, now);
                       });
  }
  return impl_->write("delete old runs", 0,
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
  return impl_->use("copy the database", 0,
                    [&](Connection& connection) { return back_up(connection.database(), target); });
}

Result<RestoreReport> ProfileDatabase::restore(const std::filesystem::path& path,
                                               const std::filesystem::path& copy) {
  return restore_database(path, copy);
}

void ProfileDatabase::tend() {
  if (impl_) {
    impl_->tend();
  }
}

std::vector<UnsavedRun> ProfileDatabase::unsaved_runs() const {
  std::vector<UnsavedRun> runs;
  if (impl_) {
    impl_->with_kept([&](KeptRuns& kept) {
      std::ranges::transform(kept.entries(), std::back_inserter(runs),
                             [](const KeptRuns::Entry& entry) {
                               return UnsavedRun{.run_id = entry.run_id, .journal = entry.journal};
                             });
    });
  }
  return runs;
}

bool ProfileDatabase::is_unsaved(std::string_view run_id) const {
  return impl_ && impl_->keeps(run_id);
}

std::vector<std::string> ProfileDatabase::save_unsaved_runs() {
  return impl_ ? impl_->save_kept() : std::vector<std::string>{};
}

bool ProfileDatabase::keep_run(const ProfiledRun& run, std::unique_ptr<RunLock> lock,
                               std::filesystem::path journal) {
  return impl_ && impl_->keep(run, std::move(lock), std::move(journal));
}

Result<SalvageReport> ProfileDatabase::salvage(const std::filesystem::path& damaged,
                                               const std::filesystem::path& target) {
  return salvage_database(damaged, target);
}

}  // namespace enprof
