// How whoever asks something of a database, or writes into it, comes to a connection.
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

/// Opens the file, notices that it was lost, opens it again, lets go of it while nobody uses it,
/// and leaves it alone for a while where writing fails again and again. Threads: any.
class DatabaseAccess {
 public:
  /// `connection` may be null: the file is opened when it is needed.
  DatabaseAccess(std::unique_ptr<Connection> connection, std::filesystem::path path,
                 const DatabaseOptions& options);
  DatabaseAccess(const DatabaseAccess&) = delete;
  DatabaseAccess& operator=(const DatabaseAccess&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  /// Without the number of runs that wait. Waits for nobody.
  [[nodiscard]] StoreHealth health() const;

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
    note_read(outcome ? nullptr : &outcome.error());
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
      connection_->note_own_writes();
    }
    note_write(outcome ? nullptr : &outcome.error());
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
  void drain_log();
  /// Closes a file that nobody has used for a while: then SQLite leaves nothing beside it, and
  /// whoever puts another in its place does no harm.
  void rest();

 private:
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

  void follow_connection();
  Result<void> connect();
  Result<void> open_again();
  [[nodiscard]] bool changed_just_now() const;
  [[nodiscard]] Error overwritten() const;
  [[nodiscard]] Error taken_away() const;
  [[nodiscard]] Result<void> may_write() const;
  void note_write(const Error* error);
  void note_read(const Error* error);

  std::mutex mutex_;                        // of who writes; guards the connection
  std::unique_ptr<Connection> connection_;  // null before it is open, once lost, and while it rests
  std::optional<FileIdentity> rested_;      // the file that was closed because nobody used it
  bool was_overwritten_ = false;            // when it was lost
  const std::filesystem::path path_;
  const DatabaseOptions options_;
  ReadingConnections readers_;
  const Clock& clock_;
  std::atomic<Instant> used_at_;
  mutable std::mutex state_mutex_;  // guards what follows; held for no longer than it takes to copy
  CircuitBreaker breaker_;
  std::optional<Error> read_error_;  // of the last read
};

}  // namespace enprof
