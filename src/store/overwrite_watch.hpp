// Notices that a database file was written over in place, as `cp` does it: its name and its inode
// stay, and SQLite sees nothing of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

struct sqlite3;

namespace enprof {

/// The number that SQLite counts up in the first page of a file when it changes that page, as it is
/// on disk, past the log. Empty where it cannot be read.
/// https://www.sqlite.org/fileformat2.html#file_change_counter
[[nodiscard]] std::optional<std::uint32_t> change_counter(sqlite3* database);

/// In WAL mode SQLite writes into the file only what is in the log (a checkpoint), which stands in
/// the index of the log that all connections share, in this process and in others. So the file has
/// been written over where its header changed and
/// - nobody has made a checkpoint since it was seen last, or
/// - its change counter is less: SQLite may leave that as it is, but never counts down.
/// Not noticed is a file with the very same header, such as a copy since which only pages that were
/// there already have been written.
/// Threads: those of the connection.
class OverwriteWatch {
 public:
  /// Looks at the file now. True where it has been written over, from then on for ever. Cheap: one
  /// read of a hundred bytes.
  [[nodiscard]] bool look(sqlite3* database);
  [[nodiscard]] bool is_overwritten() const { return is_overwritten_; }

 private:
  /// How far the log has been carried into the file.
  struct Progress {
    std::array<std::uint32_t, 2> salts{};  ///< new whenever the log begins from its start
    std::uint32_t carried = 0;             ///< frames
    std::uint32_t attempted = 0;           ///< more than that: somebody carries, or was cut off
    friend bool operator==(const Progress&, const Progress&) = default;
  };
  struct Seen {
    Progress progress;
    std::array<unsigned char, 100> header{};  ///< of the file
  };
  [[nodiscard]] static std::optional<Seen> see(sqlite3* database);
  [[nodiscard]] static bool may_follow(const Seen& later, const Seen& earlier);

  std::optional<Seen> seen_;  // last; empty without a log
  bool is_overwritten_ = false;
};

}  // namespace enprof
