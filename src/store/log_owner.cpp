#include "store/log_owner.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace enprof {
namespace {

namespace fs = std::filesystem;

constexpr Logger kLog{"store"};

fs::path log_of(const fs::path& database) { return beside(database, "-wal"); }
fs::path record_path_of(const fs::path& database) { return beside(database, "-owner"); }

std::uintmax_t bytes_of(const fs::path& path) {
  std::error_code failed;
  const std::uintmax_t bytes = fs::file_size(path, failed);
  return failed ? 0 : bytes;
}

/// The inodes of a database and of its log. Device numbers are left out, since they may change at a
/// reboot.
struct OwnerRecord {
  std::uint64_t database = 0;
  std::uint64_t log = 0;
  std::uint32_t changes = 0;  ///< at least this many; older programs did not record them
};

std::optional<OwnerRecord> read_record(const fs::path& database) {
  std::ifstream in(record_path_of(database));
  OwnerRecord record;
  std::string first;
  std::string second;
  if (in >> first >> record.database >> second >> record.log && first == "database" &&
      second == "log") {
    if (std::string third; !(in >> third >> record.changes) || third != "changes") {
      record.changes = 0;
    }
    return record;
  }
  return std::nullopt;
}

}  // namespace

fs::path beside(fs::path path, std::string_view suffix) {
  path += suffix;
  return path;
}

std::optional<FileIdentity> FileIdentity::of(const fs::path& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  return FileIdentity{.device = static_cast<std::uint64_t>(status.st_dev),
                      .number = static_cast<std::uint64_t>(status.st_ino)};
}

fs::path follow_links(const fs::path& database) {
  std::error_code failed;
  fs::path followed = fs::weakly_canonical(fs::absolute(database, failed), failed);
  return failed ? database : followed;
}

bool has_foreign_log(const fs::path& database) {
  const auto log = FileIdentity::of(log_of(database));
  if (!log) {
    return false;
  }
  const auto file = FileIdentity::of(database);
  if (!file || bytes_of(database) == 0) {
    return bytes_of(log_of(database)) > 0;  // SQLite would delete it
  }
  // If file and log were copied together, both differ from the record.
  const auto record = read_record(database);
  return record && record->log == log->number && record->database != file->number;
}

Result<void> set_aside_foreign_log(const fs::path& database) {
  if (!has_foreign_log(database)) {
    remove_log_owner_record(database);
    return {};
  }
  const auto aside = set_aside_log(database);
  if (!aside) {
    return std::unexpected(aside.error());
  }
  if (*aside) {
    kLog.warning(
        "The log beside {} belongs to a file that was replaced. That log is now {}; it holds the "
        "last changes of the replaced file. To get them back, rename it to that file's name plus "
        "-wal before you open that file",
        database.string(), (*aside)->string());
  }
  return {};
}

Result<void> set_aside_log_of_later_state(const fs::path& database, std::uint32_t changes) {
  const auto log = FileIdentity::of(log_of(database));
  const auto record = read_record(database);
  if (!log || !record || record->log != log->number || changes >= record->changes) {
    return {};
  }
  const auto aside = set_aside_log(database);
  if (!aside) {
    return std::unexpected(aside.error());
  }
  if (*aside) {
    kLog.warning(
        "{} was overwritten with an older copy while its log lay beside it. That log is now {}: "
        "it belongs to the previous content",
        database.string(), (*aside)->string());
  }
  return {};
}

Result<std::optional<fs::path>> set_aside_log(const fs::path& database) {
  const fs::path log = log_of(database);
  std::error_code none;
  std::optional<fs::path> aside;
  if (bytes_of(log) > 0) {
    aside = unused_name(beside(log, ".replaced"));
    if (std::rename(log.c_str(), aside->c_str()) != 0 && errno != ENOENT) {
      return fail(error_code_from_errno(errno),
                  fmt::format("The log {} belongs to a file that was replaced, and cannot be moved "
                              "aside: {}",
                              log.string(), std::generic_category().message(errno)),
                  fmt::format("Move it away yourself, before the database is used: mv {} {}",
                              shell_quote(log.string()), shell_quote(aside->string())));
    }
  } else {
    fs::remove(log, none);
  }
  // It is only an index of the log; SQLite rebuilds it.
  fs::remove(beside(database, "-shm"), none);
  fs::remove(record_path_of(database), none);
  return aside;
}

void record_log_owner(const fs::path& database, std::optional<std::uint32_t> changes) {
  const auto file = FileIdentity::of(database);
  const auto log = FileIdentity::of(log_of(database));
  if (!file || !log) {
    return;
  }
  const auto present = read_record(database);
  if (present && present->database == file->number && present->log == log->number) {
    return;
  }
  const fs::path partial = beside(record_path_of(database), fmt::format(".{}", getpid()));
  {
    std::ofstream out(partial, std::ios::trunc);
    out << fmt::format("database {} log {} changes {}\n", file->number, log->number,
                       changes.value_or(0))
        << std::flush;
    if (!out) {
      std::error_code none;
      fs::remove(partial, none);
      kLog.debug("Cannot record which file the log beside {} belongs to", database.string());
      return;
    }
  }
  if (std::rename(partial.c_str(), record_path_of(database).c_str()) != 0) {
    std::remove(partial.c_str());
  }
}

void remove_log_owner_record(const fs::path& database) {
  if (!FileIdentity::of(log_of(database))) {
    std::error_code none;
    fs::remove(record_path_of(database), none);
  }
}

fs::path unused_name(const fs::path& path) {
  std::error_code none;
  fs::path name = path;
  for (int number = 2; fs::exists(name, none); ++number) {
    name = beside(path, fmt::format("-{}", number));
  }
  return name;
}

}  // namespace enprof
