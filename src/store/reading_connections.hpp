// Connections that only read, so that who reads waits for nobody who writes.
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

/// Lends connections to the file that the main connection has open, and keeps a few for the next
/// who asks. Threads: any.
class ReadingConnections {
 public:
  ReadingConnections(std::filesystem::path path, const DatabaseOptions& options)
      : path_(std::move(path)), options_(options) {}

  /// The main connection has opened the file at the path: connections to that one are lent.
  void follow(Connection& main);
  /// The main connection has lost its file: until follow(), nothing is lent.
  void stop();

  /// Null where there is none to lend, as the file is another one by now or cannot be opened once
  /// more: the main connection then finds out why, or serves in its place.
  [[nodiscard]] std::unique_ptr<Connection> take();
  void give_back(std::unique_ptr<Connection> connection);

 private:
  static constexpr std::size_t kMostIdle = 4;

  const std::filesystem::path path_;
  const DatabaseOptions options_;
  std::mutex mutex_;  // guards what follows; never held while a file is looked at
  std::optional<FileIdentity> file_;
  std::optional<OverwriteWatch> watch_;  // what was seen of it last
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace enprof
