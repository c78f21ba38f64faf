// Gives out connections to a database, for reading and for writing.
#pragma once

#include "enprof/store/profile_database.hpp"
#include "enprof/store/store_health.hpp"

#include "store/circuit_breaker.hpp"
#include "store/connection.hpp"
#include "store/log_owner.hpp"
#include "store/reading_connections.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace enprof {

/// Opens the file, notices when it is lost and opens it again, closes it while it is not used, and
/// stops writing for a while after repeated failures. Threads: any.
class DatabaseAccess {
 public:
  /// `connection` may be null: the file is then opened by the first call that needs it.
  DatabaseAccess(std::unique_ptr<Connection> connection, std::filesystem::path path,
                 const DatabaseOptions& options);
  DatabaseAccess(const DatabaseAccess&) = delete;
  DatabaseAccess& operator=(const DatabaseAccess&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  /// Without the number of unsaved runs. Never waits.
  [[nodiscard]] StoreHealth health() const;

  /// Runs a body that reads, in one snapshot, concurrently with writers.
  template <class Body>
  [[nodiscard]] auto read(std::string what, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    auto outcome = [&] {
      if (auto reader = readers_.borrow()) {
        used_at_ = clock_.now();
        auto found = read_with(*reader, std::move(what), std::forward<Body>(body));
        readers_.give_back(std::move(reader));
        return found;
      }
      return read_between_writes(std::move(what), std::forward<Body>(body));
    }();
    record_read(outcome ? nullptr : &outcome.error());
    return outcome;
  }

  enum class Try { if_healthy, anyway };

  /// Runs a body that writes, in one transaction that is rolled back if the body fails.
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
      connection_->record_own_writes();
    }
    record_write(outcome ? nullptr : &outcome.error());
    return outcome;
  }

  /// Runs a body that needs the connection for itself, outside a transaction.
  template <class Body>
  [[nodiscard]] auto with_connection(std::string what, std::uintmax_t bytes, Body&& body)
      -> std::invoke_result_t<Body, Connection&> {
    const std::lock_guard lock(mutex_);
    if (auto connected = connect(); !connected) {
      return std::unexpected(std::move(connected.error()));
    }
    return guarded(connection_->action(std::move(what), bytes),
                   [&] { return std::forward<Body>(body)(*connection_); });
  }

  /// Checkpoints the log: puts what was committed on disk for good.
  void checkpoint();
  /// Closes the file if it has not been used for a while. SQLite then leaves nothing beside it, so
  /// that it can be replaced safely.
  void close_if_idle();

 private:
  template <class Body>
  [[nodiscard]] static auto read_with(Connection& connection, std::string what, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    return guarded(connection.action(std::move(what)), [&] {
      const SQLite::Transaction snapshot(connection.database());
      return std::forward<Body>(body)(connection.database());
    });
  }

  /// Reads with the writing connection, which also reconnects. Used if no reading connection is
  /// available.
  template <class Body>
  [[nodiscard]] auto read_between_writes(std::string what, Body&& body)
      -> std::invoke_result_t<Body, SQLite::Database&> {
    const std::lock_guard lock(mutex_);
    if (auto connected = connect(); !connected) {
      return std::unexpected(std::move(connected.error()));
    }
    return read_with(*connection_, std::move(what), std::forward<Body>(body));
  }

  void lend_to_readers();
  Result<void> connect();
  Result<void> open_again();
  [[nodiscard]] bool changed_just_now() const;
  [[nodiscard]] Error overwritten_error() const;
  [[nodiscard]] Error file_lost_error() const;
  [[nodiscard]] Result<void> may_write() const;
  void record_write(const Error* error);
  void record_read(const Error* error);

  std::mutex mutex_;                        // held while writing; guards the connection
  std::unique_ptr<Connection> connection_;  // null before the first use, once lost, and while
                                            // closed as idle
  std::optional<FileIdentity> idle_file_;   // the file that was closed because it was idle
  bool was_overwritten_ = false;            // whether the connection was lost because the file was
                                            // overwritten
  const std::filesystem::path path_;
  const DatabaseOptions options_;
  ReadingConnections readers_;
  const Clock& clock_;
  std::atomic<Instant> used_at_;
  mutable std::mutex state_mutex_;  // guards what follows; held only while copying
  CircuitBreaker breaker_;
  std::optional<Error> read_error_;  // of the last read
};

}  // namespace enprof
