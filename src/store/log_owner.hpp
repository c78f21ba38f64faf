// Tells which file the write-ahead log beside a database belongs to.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace enprof {

/// Tells two files of the same name apart.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t number = 0;  ///< inode

  /// Empty if there is no such file.
  [[nodiscard]] static std::optional<FileIdentity> of(const std::filesystem::path& path);
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// The path with a suffix, such as that of a database's log.
[[nodiscard]] std::filesystem::path beside(std::filesystem::path path, std::string_view suffix);

/// The path with links followed, as SQLite does: the log lies beside the link's target.
[[nodiscard]] std::filesystem::path follow_links(const std::filesystem::path& database);

/// SQLite finds a log by its name alone. If a database file was replaced and the old file's log
/// still lies there, SQLite would write that log into the new file and destroy it; if there is no
/// file, it deletes the log. So each opener records in `<db>-owner` which file and which log belong
/// together, and looks for a log that belongs to another file before it opens one. Paths are those
/// of follow_links().

/// Whether the log beside a database belongs to another file. Changes nothing.
[[nodiscard]] bool has_foreign_log(const std::filesystem::path& database);

/// Moves a log of another file aside, to `<db>-wal.replaced` or that name with a number, logs a
/// warning, and removes what else belongs to that log. Errors: those of renaming it.
[[nodiscard]] Result<void> set_aside_foreign_log(const std::filesystem::path& database);

/// Moves a log aside if it was written for a later state of the database than the file holds: an
/// older copy overwrote the file in place. `changes` is the file's change_counter(). Errors:
/// those of renaming the log.
[[nodiscard]] Result<void> set_aside_log_of_later_state(const std::filesystem::path& database,
                                                        std::uint32_t changes);

/// Moves the log aside, whichever file it belongs to. Empty if it had no content.
[[nodiscard]] Result<std::optional<std::filesystem::path>> set_aside_log(
    const std::filesystem::path& database);

/// Records that the present log belongs to the present file, whose change counter is `changes`. If
/// the record cannot be written, as on a full disk, it is left out.
void record_log_owner(const std::filesystem::path& database, std::optional<std::uint32_t> changes);

/// Removes the record if there is no log any more.
void remove_log_owner_record(const std::filesystem::path& database);

/// An unused name in this directory: `path`, or `path` with a number.
[[nodiscard]] std::filesystem::path unused_name(const std::filesystem::path& path);

}  // namespace enprof
