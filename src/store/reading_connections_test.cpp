#include "store/reading_connections.hpp"

#include "enprof/store/profile_database.hpp"

#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using testing::sample_run;

class ReadingConnectionsTest : public ::testing::Test {
 protected:
  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
  const DatabaseOptions impatient_{.busy_timeout = std::chrono::milliseconds{30}};
};

TEST_F(ReadingConnectionsTest, ReadersDoNotWaitForWriters) {
  auto database = ProfileDatabase::connect(path_, impatient_).value();
  ASSERT_TRUE(database.save_run(sample_run("before")));
  SQLite::Database writer(path_.string(), SQLite::OPEN_READWRITE);
  SQLite::Transaction writing(writer, SQLite::TransactionBehavior::IMMEDIATE);
  writer.exec("DELETE FROM runs");
  EXPECT_EQ(database.list_runs().value().total, 1U) << "the state before the transaction";
  EXPECT_EQ(database.delete_run("before").error().code, ErrorCode::busy);
  EXPECT_EQ(database.health().last_error->code, ErrorCode::busy);
  EXPECT_FALSE(database.health().read_error);
}

TEST_F(ReadingConnectionsTest, LentConnectionsCannotWrite) {
  auto main = Connection::open(path_, impatient_).value();
  ReadingConnections readers(path_, impatient_);
  EXPECT_EQ(readers.borrow(), nullptr) << "nothing was opened yet";
  readers.lend_for(*main);
  auto reader = readers.borrow();
  ASSERT_NE(reader, nullptr);
  EXPECT_THROW(reader->database().exec("DELETE FROM runs"), SQLite::Exception);
  const auto* const first = reader.get();
  readers.give_back(std::move(reader));
  reader = readers.borrow();
  EXPECT_EQ(reader.get(), first) << "it is lent again";
  readers.stop_lending();
  readers.give_back(std::move(reader));
  EXPECT_EQ(readers.borrow(), nullptr);
}

/// Reading a file beside the log of another one would write that log into it.
TEST_F(ReadingConnectionsTest, AFileThatTookThePlaceOfOursIsNotLookedInto) {
  auto main = Connection::open(path_, impatient_).value();
  ReadingConnections readers(path_, impatient_);
  readers.lend_for(*main);
  readers.give_back(readers.borrow());
  const fs::path other = dir_.path() / "other.db";
  ASSERT_TRUE(ProfileDatabase::connect(other).value().save_run(sample_run("other")));
  fs::rename(other, path_);
  EXPECT_EQ(readers.borrow(), nullptr);
  EXPECT_EQ(readers.borrow(), nullptr);
  readers.lend_for(*main);  // its open file is still the old one
  EXPECT_EQ(readers.borrow(), nullptr);
  fs::remove(path_);
  EXPECT_EQ(readers.borrow(), nullptr);
}

TEST_F(ReadingConnectionsTest, AReaderGetsOneErrorWhenTheFileIsGoneAndThenReconnects) {
  auto database = ProfileDatabase::connect(path_, impatient_).value();
  ASSERT_TRUE(database.save_run(sample_run("r")));
  EXPECT_EQ(database.list_runs().value().total, 1U);
  for (const char* const suffix : {"", "-wal", "-shm"}) {
    fs::remove(path_.string() + suffix);
  }
  const auto lost = database.list_runs();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::io);
  EXPECT_EQ(database.list_runs().value().total, 0U);
  ASSERT_TRUE(database.save_run(sample_run("s")));
  EXPECT_EQ(database.list_runs().value().total, 1U);
  EXPECT_FALSE(database.health().read_error);
}

}  // namespace
}  // namespace enprof
