#include "store/reading_connections.hpp"

#include "base/log.hpp"

#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

}  // namespace

void ReadingConnections::lend_for(Connection& main) {
  auto file = FileIdentity::of(path_);
  if (main.lost()) {
    file.reset();  // it was replaced just now
  }
  const std::lock_guard lock(mutex_);
  file_ = file;
  watch_ = main.watch();
}

void ReadingConnections::stop_lending() {
  std::vector<std::unique_ptr<Connection>> ended;
  const std::lock_guard lock(mutex_);
  file_.reset();
  ended.swap(idle_);
}

std::unique_ptr<Connection> ReadingConnections::borrow() {
  std::unique_ptr<Connection> connection;
  std::optional<FileIdentity> file;
  std::optional<OverwriteWatch> watch;
  {
    const std::lock_guard lock(mutex_);
    file = file_;
    watch = watch_;
    if (file && !idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!file || FileIdentity::of(path_) != file) {
    return nullptr;
  }
  if (connection && !connection->lost()) {
    return connection;
  }
  if (connection && connection->is_overwritten()) {
    return nullptr;  // the main connection will notice the same
  }
  connection.reset();  // it has the previous file open
  auto opened = Connection::open_another(path_, options_);
  // Check before the first read: SQLite would take a log of another file for this file's own.
  if (opened && FileIdentity::of(path_) == file && !(*opened)->lost()) {
    const auto ready = (*opened)->prepare_to_read(watch);
    if (ready && !(*opened)->lost()) {
      return *std::move(opened);
    }
    if (!ready) {
      opened = std::unexpected(ready.error());
    }
  }
  kLog.debug("{} is read by the connection that writes it{}", path_.string(),
             opened ? std::string{} : ": " + opened.error().message);
  return nullptr;
}

void ReadingConnections::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (file_ && !connection->is_overwritten() && idle_.size() < kMostIdle) {
    watch_ = connection->watch();
    idle_.push_back(std::move(connection));
  }
}

}  // namespace enprof
