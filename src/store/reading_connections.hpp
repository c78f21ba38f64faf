// Connections for reading, so that readers do not wait for writers.
#pragma once

#include "store/connection.hpp"
#include "store/log_owner.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace enprof {

/// Lends connections to the file that the main connection has open, and keeps a few for later
/// readers. Threads: any.
class ReadingConnections {
 public:
  ReadingConnections(std::filesystem::path path, const DatabaseOptions& options)
      : path_(std::move(path)), options_(options) {}

  /// The main connection has opened the file at the path: lends connections to that file from now
  /// on.
  void lend_for(Connection& main);
  /// The main connection has lost its file: lends nothing until lend_for() is called again.
  void stop_lending();

  /// Null if no connection can be lent, because the file was replaced or cannot be opened once
  /// more. The caller then uses the main connection, which finds out why.
  [[nodiscard]] std::unique_ptr<Connection> borrow();
  void give_back(std::unique_ptr<Connection> connection);

 private:
  static constexpr std::size_t kMostIdle = 4;

  const std::filesystem::path path_;
  const DatabaseOptions options_;
  std::mutex mutex_;  // guards what follows; never held while looking at a file
  std::optional<FileIdentity> file_;
  std::optional<OverwriteWatch> watch_;  // the last snapshot of the file
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace enprof
