#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"
#include "store/circuit_breaker.hpp"
#include "store/connection.hpp"
#include "store/database_file.hpp"
#include "store/housekeeping.hpp"
#include "store/layer_matrix.hpp"
#include "store/power_timeline.hpp"
#include "store/reading_connections.hpp"
#include "store/run_index.hpp"
#include "store/run_pages.hpp"
#include "store/run_reader.hpp"
#include "store/run_steps.hpp"
#include "store/run_writer.hpp"
#include "store/salvage.hpp"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <mutex>
#include <optional>
#include <utility>

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
                 options.clock != nullptr ? *options.clock : monotonic_clock()) {
    readers_.follow(*connection_);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] StoreHealth health() const {
    const std::lock_guard lock(state_mutex_);
    StoreHealth health = breaker_.health();
    health.read_error = read_error_;
    return health;
  }

  /// Runs a body that reads, in one snapshot, beside whoever writes.
  template <class Body>
  [[nodiscard]] auto read(std::string what, Body&& body)
      -> std::invoke_result_t<Body, Connection&> {
    auto outcome = [&] {
      if (auto reader = readers_.take()) {
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

  /// Puts what was committed on disk for good.
  void drain_log() {
    const std::lock_guard lock(mutex_);
    if (connection_) {
      connection_->drain_log("PASSIVE");
    }
  }

 private:
  template <class Body>
  [[nodiscard]] static auto read_with(Connection& connection, std::string what, Body&& body)
      -> std::invoke_result_t<Body, Connection&> {
    return guarded(connection.action(std::move(what)), [&] {
      const SQLite::Transaction snapshot(connection.database());
      return std::forward<Body>(body)(connection);
    });
  }

  /// With the connection that writes: it is there where no other can be had, and connects anew.
  template <class Body>
  [[nodiscard]] auto read_between_writes(std::string what, Body&& body)
      -> std::invoke_result_t<Body, Connection&> {
    const std::lock_guard lock(mutex_);
    if (auto connected = connect(); !connected) {
      return std::unexpected(std::move(connected.error()));
    }
    return read_with(*connection_, std::move(what), std::forward<Body>(body));
  }

  /// Connects anew where the connection was lost before; says so where it is lost now.
  Result<void> connect() {
    if (!connection_) {
      auto opened = Connection::open(path_, options_);
      if (!opened) {
        kLog.error("Database connection failed: {}", opened.error().message);
        return std::unexpected(std::move(opened.error()));
      }
      connection_ = *std::move(opened);
      readers_.follow(*connection_);
      kLog.info("Connected to profiling database at {} again", path_.string());
      return {};
    }
    if (!connection_->lost()) {
      return {};
    }
    connection_.reset();
    readers_.stop();
    Error error{
        ErrorCode::io,
        fmt::format("The connection to the database {} is lost: the file was deleted, moved "
                    "or replaced while it was open",
                    path_.string()),
        fmt::format("Put it back, or leave it: the next attempt connects anew, and makes a "
                    "new file where there is none (ls -l {}).",
                    shell_quote(path_.string()))};
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

  std::mutex mutex_;                        // of who writes; guards the connection
  std::unique_ptr<Connection> connection_;  // null after it was lost
  std::filesystem::path path_;
  DatabaseOptions options_;
  ReadingConnections readers_;
  mutable std::mutex state_mutex_;  // guards what follows; held for no longer than it takes to copy
  CircuitBreaker breaker_;
  std::optional<Error> read_error_;  // of the last read
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
  return impl_->write(
      fmt::format("delete run {}", run_id), 0,
      [&](SQLite::Database& database) -> Result<bool> { return erase_run(database, run_id); });
}

Result<bool> ProfileDatabase::set_tags(std::string_view run_id, std::span<const std::string> tags) {
  if (!impl_) {
    return not_connected();
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
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<ProfiledRun>> {
                       return read_run(connection.database(), run_id, parts);
                     });
}

Result<std::optional<RunHead>> ProfileDatabase::run_head(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<RunHead>> {
                       return read_head(connection.database(), run_id);
                     });
}

Result<RunPage> ProfileDatabase::read_page(const RunHead& head, RunRows list, const RunPlace& from,
                                           std::size_t rows) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(
      fmt::format("read run {}", head.run.run_id), [&](Connection& connection) -> Result<RunPage> {
        if (auto page = enprof::read_page(connection.database(), head, list, from, rows)) {
          return *std::move(page);
        }
        return fail(
            ErrorCode::not_found,
            fmt::format("Run {} was deleted or replaced while it was read", head.run.run_id),
            "Read it again from the start, where it is still there: enprof runs");
      });
}

Result<std::optional<OperationSums>> ProfileDatabase::operation_sums(std::string_view run_id,
                                                                     const PassRange& range) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<OperationSums>> {
                       return sum_operations(connection.database(), run_id, range);
                     });
}

Result<std::optional<SampledValues>> ProfileDatabase::sampled_values(std::string_view run_id,
                                                                     const PassRange& range) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<SampledValues>> {
                       return read_values(connection.database(), run_id, range);
                     });
}

Result<std::optional<RunSummary>> ProfileDatabase::summary(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<RunSummary>> {
                       return read_summary(connection.database(), run_id);
                     });
}

Result<std::optional<RunPipeline>> ProfileDatabase::pipeline(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<RunPipeline>> {
                       return read_pipeline(connection.database(), run_id);
                     });
}

Result<std::optional<PowerTimeline>> ProfileDatabase::power_timeline(std::string_view run_id,
                                                                     std::size_t points) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<PowerTimeline>> {
                       return read_power_timeline(connection.database(), run_id, points);
                     });
}

Result<std::optional<LayerComponentMatrix>> ProfileDatabase::layer_components(
    std::string_view run_id, std::optional<Phase> phase) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::optional<LayerComponentMatrix>> {
                       return read_layer_components(connection.database(), run_id, phase);
                     });
}

Result<std::string> ProfileDatabase::resolve(std::string_view id_or_prefix) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("look up run {}", id_or_prefix), [&](Connection& connection) {
    return resolve_run(connection.database(), id_or_prefix);
  });
}

Result<RunList> ProfileDatabase::list_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the runs", [&](Connection& connection) -> Result<RunList> {
    return enprof::find_runs(connection.database(), filter);
  });
}

Result<RunIds> ProfileDatabase::find_runs(const RunFilter& filter) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the runs", [&](Connection& connection) -> Result<RunIds> {
    return find_run_ids(connection.database(), filter);
  });
}

Result<RunSummaries> ProfileDatabase::summaries(std::span<const std::string> run_ids,
                                                std::size_t bytes) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the runs", [&](Connection& connection) -> Result<RunSummaries> {
    return read_summaries(connection.database(), run_ids, bytes);
  });
}

Result<std::vector<std::string>> ProfileDatabase::unfinished_runs() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("list the unfinished runs",
                     [](Connection& connection) -> Result<std::vector<std::string>> {
                       return find_unfinished_runs(connection.database());
                     });
}

Result<std::vector<RunStep>> ProfileDatabase::read_steps(std::string_view run_id) {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read(fmt::format("read run {}", run_id),
                     [&](Connection& connection) -> Result<std::vector<RunStep>> {
                       return enprof::read_steps(connection.database(), run_id);
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
                     [&](Connection& connection) -> Result<DatabaseStats> {
                       return count_all(connection.database(), impl_->path());
                     });
}

Result<CheckReport> ProfileDatabase::check() {
  if (!impl_) {
    return not_connected();
  }
  return impl_->read("check the database", [&](Connection& connection) -> Result<CheckReport> {
    return check_all(connection.database());
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
                       [&](Connection& connection) -> Result<std::vector<RunSummary>> {
                         return find_old_runs(connection.database(), rule, now);
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

Result<SalvageReport> ProfileDatabase::salvage(const std::filesystem::path& damaged,
                                               const std::filesystem::path& target) {
  return salvage_database(damaged, target);
}

}  // namespace enprof
