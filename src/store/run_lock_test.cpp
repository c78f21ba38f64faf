#include "store/run_lock.hpp"

#include "store/run_journal.hpp"
#include "support/temp_dir.hpp"
#include "support/tmpfs.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;

class RunLockTest : public ::testing::Test {
 protected:
  const testing::TempDir dir_;
  const fs::path database_ = dir_.path() / "profiles.db";
};

TEST_F(RunLockTest, OneAtATimeAndNothingIsLeft) {
  {
    const auto first = RunLock::acquire(database_, "run");
    ASSERT_TRUE(first) << first.error().message;
    const auto second = RunLock::acquire(database_, "run");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::busy);
    EXPECT_NE(second.error().message.find("Run run is being written"), std::string::npos);
    EXPECT_TRUE(RunLock::acquire(database_, "another"));
  }
  EXPECT_FALSE(fs::exists(journal_directory(database_)));
  EXPECT_TRUE(RunLock::acquire(database_, "run"));
}

TEST_F(RunLockTest, ItEndsWithTheProcessHoweverThatEnds) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = RunLock::acquire(database_, "run");
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(fs::exists(journal_directory(database_) / "run.lock"))
      << "the killed process could not clean up";
  const auto lock = RunLock::acquire(database_, "run");
  EXPECT_TRUE(lock) << lock.error().message;
}

TEST_F(RunLockTest, APlaceThatCannotBeWrittenIsNamed) {
  dir_.write("profiles.db.journal", "a file");
  const auto lock = RunLock::acquire(database_, "run");
  ASSERT_FALSE(lock);
  EXPECT_NE(lock.error().message.find(database_.string() + ".journal/run.lock"), std::string::npos)
      << lock.error().message;
  EXPECT_FALSE(RunJournal::open(database_, "run"));
}

TEST(FileStem, AnyIdHasANameOfItsOwn) {
  std::set<std::string> stems;
  const std::vector<std::string> ids{"abc",
                                     "a/b",
                                     "a_b",
                                     "..",
                                     "",
                                     std::string("\0", 1),
                                     std::string(300, 'x'),
                                     std::string(301, 'x'),
                                     "🔋",
                                     "a b"};
  for (const std::string& id : ids) {
    const std::string stem = file_stem(id);
    EXPECT_LE(stem.size(), 64U);
    EXPECT_EQ(stem.find('/'), std::string::npos);
    EXPECT_FALSE(stem.starts_with('.')) << stem;
    stems.insert(stem);
  }
  EXPECT_EQ(stems.size(), ids.size());
  EXPECT_EQ(file_stem("5eed0123456789ab"), "5eed0123456789ab");
}

TEST_F(RunLockTest, AJournalHoldsItsLinesAndLosesOnlyACutOne) {
  auto journal = RunJournal::open(database_, "run");
  ASSERT_TRUE(journal) << journal.error().message;
  ASSERT_TRUE(journal->append(std::vector<std::string>{"one", "two"}));
  ASSERT_TRUE(journal->append(std::vector<std::string>{"three"}));
  EXPECT_EQ(read_journal(journal->path()), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(list_journals(database_), std::vector<fs::path>{journal->path()});
  fs::resize_file(journal->path(), fs::file_size(journal->path()) - 2);
  EXPECT_EQ(read_journal(journal->path()), (std::vector<std::string>{"one", "two"}));
  ASSERT_TRUE(journal->replace(std::vector<std::string>{"all"}));
  EXPECT_EQ(read_journal(journal->path()), std::vector<std::string>{"all"});
  ASSERT_TRUE(journal->append(std::vector<std::string>{"more"}));
  EXPECT_EQ(read_journal(journal->path()), (std::vector<std::string>{"all", "more"}));
  ASSERT_TRUE(remove_journal(journal->path()));
  EXPECT_FALSE(fs::exists(journal_directory(database_)));
  EXPECT_FALSE(read_journal(journal->path()));
  EXPECT_TRUE(list_journals(database_).empty());
}

TEST_F(RunLockTest, OnAFullDiskAJournalKeepsWhatItHad) {
  const testing::Tmpfs tmpfs("64k");
  if (!tmpfs.mounted()) {
    GTEST_SKIP() << tmpfs.why_not();
  }
  auto journal = RunJournal::open(tmpfs.path() / "profiles.db", "run");
  ASSERT_TRUE(journal);
  std::size_t lines = 0;
  Result<void> outcome;
  while ((outcome = journal->append(std::vector<std::string>{std::string(5000, 'x')}))) {
    ++lines;
  }
  EXPECT_EQ(outcome.error().code, ErrorCode::too_large) << outcome.error().message;
  EXPECT_GT(lines, 5U);
  EXPECT_EQ(read_journal(journal->path())->size(), lines);
  EXPECT_FALSE(journal->replace(std::vector<std::string>{std::string(60'000, 'y')}));
  EXPECT_EQ(read_journal(journal->path())->size(), lines) << "all or nothing";
  EXPECT_TRUE(journal->append(std::vector<std::string>{"short"})) << "this still fits";
}

}  // namespace
}  // namespace enprof
