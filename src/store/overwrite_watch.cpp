#include "store/overwrite_watch.hpp"

#include <sqlite3.h>

#include <span>

namespace enprof {
namespace {

/// https://www.sqlite.org/fileformat2.html#the_database_header
constexpr std::size_t kHeaderBytes = 100;

/// SQLite's own handle of the database file. Opening the file once more would be harmful: closing
/// it again would drop this process's locks (fcntl).
sqlite3_file* file_of(sqlite3* database) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER,
                           static_cast<void*>(&file)) != SQLITE_OK ||
      file == nullptr || file->pMethods == nullptr) {
    return nullptr;
  }
  return file;
}

/// The first bytes of the file; zeros if it is shorter.
bool read_header(sqlite3_file* file, std::span<unsigned char> header) {
  const int code = file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0);
  return code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ;
}

std::uint32_t counter_in(std::span<const unsigned char> header) {
  constexpr std::size_t kAt = 24;
  std::uint32_t counter = 0;
  for (std::size_t index = kAt; index < kAt + sizeof counter; ++index) {
    counter = counter << 8U | header[index];  // big-endian
  }
  return counter;
}

/// The index of the log, in memory that connections share; null without a log. SQLite returns the
/// part that it has mapped already.
volatile const unsigned char* log_index(sqlite3_file* file) {
  constexpr int kRegionBytes = 32768;
  volatile void* region = nullptr;
  if (file->pMethods->iVersion < 2 ||
      file->pMethods->xShmMap(file, 0, kRegionBytes, 0, &region) != SQLITE_OK) {
    return nullptr;
  }
  return static_cast<volatile const unsigned char*>(region);
}

/// In the machine's own byte order.
std::uint32_t number_at(volatile const unsigned char* index, std::size_t offset) {
  return *reinterpret_cast<volatile const std::uint32_t*>(index + offset);
}

}  // namespace

std::optional<std::uint32_t> change_counter(sqlite3* database) {
  sqlite3_file* const file = file_of(database);
  std::array<unsigned char, kHeaderBytes> header{};
  if (file == nullptr || !read_header(file, header)) {
    return std::nullopt;
  }
  return counter_in(header);
}

std::optional<OverwriteWatch::Snapshot> OverwriteWatch::snapshot(sqlite3* database) {
  sqlite3_file* const file = file_of(database);
  if (file == nullptr) {
    return std::nullopt;
  }
  volatile const unsigned char* const index = log_index(file);
  if (index == nullptr) {
    return std::nullopt;
  }
  // https://www.sqlite.org/walformat.html#the_wal_index_file_format
  const auto progress = [&] {
    return Progress{.salts = {number_at(index, 32), number_at(index, 36)},
                    .carried = number_at(index, 96),
                    .attempted = number_at(index, 128)};
  };
  Snapshot now{.progress = progress()};
  if (!read_header(file, now.header) || progress() != now.progress ||
      now.progress.attempted > now.progress.carried) {
    return std::nullopt;  // a checkpoint is running
  }
  return now;
}

bool OverwriteWatch::may_come_after(const Snapshot& after, const Snapshot& before) {
  if (after.header == before.header) {
    return true;
  }
  return after.progress != before.progress && counter_in(after.header) >= counter_in(before.header);
}

bool OverwriteWatch::check(sqlite3* database) {
  if (is_overwritten_) {
    return true;
  }
  if (auto now = snapshot(database)) {
    is_overwritten_ = last_ && !may_come_after(*now, *last_);
    last_ = *std::move(now);
  }
  return is_overwritten_;
}

}  // namespace enprof
