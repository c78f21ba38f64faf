// Which file it is whose write-ahead log lies beside a database.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

namespace enprof {

/// What tells a file from another that has its name.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t number = 0;  ///< of its inode

  /// Empty where there is no such file.
  [[nodiscard]] static std::optional<FileIdentity> of(const std::filesystem::path& path);
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// A file whose name is the path's with something behind it, as those of a database's log.
[[nodiscard]] std::filesystem::path beside(std::filesystem::path path, std::string_view suffix);

/// The path with its links followed, as SQLite follows them: its log lies beside what they lead to.
[[nodiscard]] std::filesystem::path follow_links(const std::filesystem::path& database);

/// SQLite finds a log by its name alone. Where a database file was replaced and the log of the one
/// before it still lies there, SQLite would write that log into the new file, which destroys it;
/// and where there is no file it deletes the log. So each opener notes in `<db>-owner` which file
/// and which log belong together, and looks for a log that belongs to another file before it opens
/// one. Paths are those of follow_links().

/// Whether the log beside a database belongs to another file. Changes nothing.
[[nodiscard]] bool has_foreign_log(const std::filesystem::path& database);

/// Puts a log of another file aside, as `<db>-wal.replaced` or with a number behind that, says so
/// in the log, and takes away what else belongs to it. Errors: those of renaming it.
[[nodiscard]] Result<void> set_aside_foreign_log(const std::filesystem::path& database);

/// Puts a log aside that was written for a later state of the database than is in its file, which
/// so many changes tell (change_counter()): an older copy was written over it in place. Errors: as
/// above.
[[nodiscard]] Result<void> set_aside_log_of_later_state(const std::filesystem::path& database,
                                                        std::uint32_t changes);

/// The same, whomever the log belongs to; empty where it held nothing.
[[nodiscard]] Result<std::optional<std::filesystem::path>> set_aside_log(
    const std::filesystem::path& database);

/// Notes that the log that is there now belongs to the file that is there now, which has so many
/// changes in it. Where it cannot be noted, it is not: the disk may be full.
void note_log_owner(const std::filesystem::path& database, std::optional<std::uint32_t> changes);

/// Takes the note away where there is no log any more.
void forget_log_owner(const std::filesystem::path& database);

/// A name in this directory that is not in use: `path`, else with a number behind it.
[[nodiscard]] std::filesystem::path free_name(const std::filesystem::path& path);

}  // namespace enprof
