#include "store/overwrite_watch.hpp"

#include <sqlite3.h>

#include <span>

namespace enprof {
namespace {

/// https://www.sqlite.org/fileformat2.html#the_database_header
constexpr std::size_t kHeaderBytes = 100;

/// SQLite's own handle of the database file. To open the file once more would be harmful: closing
/// that takes away the locks of this process (fcntl).
sqlite3_file* file_of(sqlite3* database) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER,
                           static_cast<void*>(&file)) != SQLITE_OK ||
      file == nullptr || file->pMethods == nullptr) {
    return nullptr;
  }
  return file;
}

/// The first bytes of the file; zeros where it is shorter.
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

/// The index of the log, which is in memory that connections share; null without one. SQLite gives
/// the part that it has mapped already.
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

std::optional<OverwriteWatch::Seen> OverwriteWatch::see(sqlite3* database) {
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
  Seen seen{.progress = progress()};
  if (!read_header(file, seen.header) || progress() != seen.progress ||
      seen.progress.attempted > seen.progress.carried) {
    return std::nullopt;  // somebody is at it
  }
  return seen;
}

bool OverwriteWatch::may_follow(const Seen& later, const Seen& earlier) {
  if (later.header == earlier.header) {
    return true;
  }
  return later.progress != earlier.progress &&
         counter_in(later.header) >= counter_in(earlier.header);
}

bool OverwriteWatch::look(sqlite3* database) {
  if (is_overwritten_) {
    return true;
  }
  if (auto seen = see(database)) {
    is_overwritten_ = seen_ && !may_follow(*seen, *seen_);
    seen_ = *std::move(seen);
  }
  return is_overwritten_;
}

}  // namespace enprof
