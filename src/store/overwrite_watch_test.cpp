#include "store/overwrite_watch.hpp"

#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace enprof {
namespace {

class OverwriteWatchTest : public ::testing::Test {
 protected:
  OverwriteWatchTest() {
    database_.execAndGet("PRAGMA journal_mode = WAL");
    database_.exec("CREATE TABLE t (x)");
  }
  bool check() { return watch_.check(database_.getHandle()); }
  void grow() { database_.exec("INSERT INTO t VALUES (randomblob(100000))"); }
  static void checkpoint(SQLite::Database& database) {
    database.execAndGet("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  /// Writes into the file itself. The stream stays open: closing it would drop SQLite's locks.
  void overwrite(std::streamoff offset, const std::string& bytes) {
    raw_.seekp(offset).write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  }

  const testing::TempDir dir_;
  const std::string path_ = (dir_.path() / "a.db").string();
  SQLite::Database database_{path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  std::fstream raw_{path_, std::ios::in | std::ios::out | std::ios::binary};
  OverwriteWatch watch_;
};

TEST_F(OverwriteWatchTest, CheckpointsOfAnybodyAreNoTrouble) {
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  EXPECT_FALSE(check());
  for (int round = 0; round < 10; ++round) {
    grow();
    EXPECT_FALSE(check());
    checkpoint(round % 2 == 0 ? database_ : other);
    EXPECT_FALSE(check());
    other.exec("INSERT INTO t VALUES (randomblob(50000))");
    other.exec("DELETE FROM t WHERE rowid % 3 = 0");
    checkpoint(other);
    EXPECT_FALSE(check());
  }
}

TEST_F(OverwriteWatchTest, AnotherHeaderWithoutACheckpointIsNoticedForEver) {
  checkpoint(database_);
  EXPECT_FALSE(check());
  constexpr std::streamoff kSchemaCookie = 40;
  overwrite(kSchemaCookie, "cook");
  EXPECT_TRUE(check());
  checkpoint(database_);
  EXPECT_TRUE(check());
  EXPECT_TRUE(watch_.is_overwritten());
}

TEST_F(OverwriteWatchTest, ACounterThatWentBackIsNoticedAfterACheckpointToo) {
  checkpoint(database_);
  EXPECT_FALSE(check());
  EXPECT_GT(change_counter(database_.getHandle()), 0U);
  grow();
  checkpoint(database_);
  constexpr std::streamoff kChangeCounter = 24;
  overwrite(kChangeCounter, std::string(4, '\0'));
  EXPECT_EQ(change_counter(database_.getHandle()), 0U);
  EXPECT_TRUE(check());
}

}  // namespace
}  // namespace enprof
