// Notices that a database file was overwritten in place, as `cp` does: its name and inode stay, and
// SQLite does not notice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

struct sqlite3;

namespace enprof {

/// The change counter: SQLite increments this number in the file's first page when it changes that
/// page. Read from the file itself, past the log. Empty if it cannot be read.
/// https://www.sqlite.org/fileformat2.html#file_change_counter
[[nodiscard]] std::optional<std::uint32_t> change_counter(sqlite3* database);

/// In WAL mode SQLite writes only the log's content into the file (a checkpoint), and records this
/// in the log's index, which all connections of all processes share. So the file has been
/// overwritten if its header changed and
/// - no checkpoint was made since the last look, or
/// - its change counter is lower: SQLite may leave it unchanged, but never counts down.
/// Not noticed is a file with the same header, such as a copy of the database after which only
/// existing pages changed.
/// Threads: those of the connection.
class OverwriteWatch {
 public:
  /// Looks at the file now. True once it has been overwritten, and from then on. Cheap: one read of
  /// a hundred bytes.
  [[nodiscard]] bool check(sqlite3* database);
  [[nodiscard]] bool is_overwritten() const { return is_overwritten_; }

 private:
  /// How much of the log has been copied into the file.
  struct Progress {
    std::array<std::uint32_t, 2> salts{};  ///< change whenever the log restarts from its beginning
    std::uint32_t carried = 0;             ///< frames
    std::uint32_t attempted = 0;           ///< more than `carried`: a checkpoint is running, or was
                                           ///< interrupted
    friend bool operator==(const Progress&, const Progress&) = default;
  };
  struct Snapshot {
    Progress progress;
    std::array<unsigned char, 100> header{};  ///< of the file
  };
  [[nodiscard]] static std::optional<Snapshot> snapshot(sqlite3* database);
  [[nodiscard]] static bool may_come_after(const Snapshot& after, const Snapshot& before);

  std::optional<Snapshot> last_;  // the last snapshot; empty without a log
  bool is_overwritten_ = false;
};

}  // namespace enprof
