#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"
#include "store/step_store.hpp"
#include "support/german_locale.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"
#include "support/unprivileged.hpp"
#include "support/wait_until.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::sample_run;

constexpr DatabaseOptions kImpatient{.busy_timeout = milliseconds{30}};

/// The run that is stored under an id; errors fail the test.
std::optional<ProfiledRun> stored(ProfileDatabase& database, std::string_view run_id) {
  auto run = database.get_run(run_id);
  EXPECT_TRUE(run) << run.error().message;
  return run ? *std::move(run) : std::nullopt;
}

class ProfileDatabaseTest : public ::testing::Test {
 protected:
  [[nodiscard]] ProfileDatabase open() const {
    auto database = ProfileDatabase::connect(path_);
    EXPECT_TRUE(database) << database.error().message;
    return *std::move(database);
  }
  [[nodiscard]] SQLite::Database raw() const {
    return SQLite::Database(path_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  }
  /// Expects connect() to fail with this code.
  static Error refused(const fs::path& path, ErrorCode code) {
    const auto database = ProfileDatabase::connect(path, kImpatient);
    EXPECT_FALSE(database) << path;
    const Error error = database ? Error{} : database.error();
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_NE(error.message.find(path.string()), std::string::npos) << error.message;
    EXPECT_FALSE(error.hint.empty()) << error.message;
    return error;
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const testing::TempDir dir_;
  const fs::path path_ = dir_.path() / "profiles.db";
};

TEST_F(ProfileDatabaseTest, ConnectsInTheModesThatItPromises) {
  const ProfileDatabase database = open();
  EXPECT_EQ(database.path(), path_);
  auto other = raw();
  EXPECT_EQ(other.execAndGet("PRAGMA journal_mode").getString(), "wal");
  EXPECT_EQ(other.execAndGet("PRAGMA user_version").getInt(), ProfileDatabase::kSchemaVersion);
  EXPECT_EQ(other.execAndGet("PRAGMA integrity_check").getString(), "ok");
}

TEST_F(ProfileDatabaseTest, MakesTheDirectoriesOnTheWay) {
  const fs::path path = dir_.path() / "a" / "b c" / "file:x?mode=memory";
  ASSERT_TRUE(ProfileDatabase::connect(path));
  EXPECT_TRUE(fs::is_regular_file(path));
}

TEST_F(ProfileDatabaseTest, SavedRunsAreThereAfterReopening) {
  ASSERT_TRUE(open().save_run(sample_run()));
  EXPECT_EQ(files(), std::vector<std::string>{"profiles.db"}) << "closing checkpoints the log";
  ProfileDatabase again = open();
  EXPECT_EQ(stored(again, sample_run().run_id), sample_run());
}

TEST_F(ProfileDatabaseTest, TheSameIdTwiceIsAnErrorAndTheFirstStays) {
  ProfileDatabase database = open();
  ASSERT_TRUE(database.save_run(sample_run()));
  ProfiledRun again = sample_run();
  again.prompt = "another";
  const auto saved = database.save_run(again);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(saved.error().message.find("5eed0123456789ab is in"), std::string::npos);
  EXPECT_NE(saved.error().hint.find("enprof rm 5eed0123456789ab"), std::string::npos);
  EXPECT_EQ(stored(database, again.run_id), sample_run());
}

TEST_F(ProfileDatabaseTest, ADeletedRunLeavesNoRowInAnyTable) {
  ProfileDatabase database = open();
  const auto rows = [this] {
    auto other = raw();
    SQLite::Statement tables(other,
                             "SELECT name FROM sqlite_schema WHERE type = 'table' "
                             "AND name NOT LIKE 'sqlite%' ORDER BY name");
    std::vector<std::pair<std::string, int>> counts;
    while (tables.executeStep()) {
      const std::string table = tables.getColumn(0).getString();
      counts.emplace_back(table, other.execAndGet("SELECT count(*) FROM " + table).getInt());
    }
    return counts;
  };
  const auto none = rows();
  EXPECT_EQ(none.size(), 27U);
  ASSERT_TRUE(database.save_run(sample_run("keep")));
  const auto one = rows();
  for (const auto& [table, count] : one) {
    EXPECT_GT(count, table == "run_steps" ? -1 : 0)
        << table << ": the sample run has rows for each table";
  }
  ASSERT_TRUE(database.save_run(sample_run("go")));

  EXPECT_EQ(database.delete_run("go"), true);
  EXPECT_EQ(rows(), one);
  EXPECT_EQ(stored(database, "go"), std::nullopt);
  EXPECT_EQ(database.delete_run("go"), false);
  EXPECT_EQ(stored(database, "keep"), sample_run("keep"));
  EXPECT_EQ(database.delete_run("keep"), true);
  EXPECT_EQ(rows(), none);
}

TEST_F(ProfileDatabaseTest, TagsAreReplacedOnceARunIsOver) {
  ProfileDatabase database = open();
  ProfiledRun run = sample_run("r");
  ASSERT_TRUE(StepStore(database).begin_run(run));
  const std::vector<std::string> tags{"b", "a", "b"};
  const auto early = database.set_tags("r", tags);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::busy);

  ASSERT_TRUE(database.save_run(run));
  EXPECT_EQ(database.set_tags("r", tags), true);
  run.tags = tags;
  EXPECT_EQ(**database.get_run("r"), run);  // and nothing else has changed
  EXPECT_EQ(database.list_runs({.tag = "a"})->total, 1U);
  EXPECT_EQ(database.set_tags("r", {}), true);
  EXPECT_TRUE((*database.summary("r"))->tags.empty());
  EXPECT_EQ(database.set_tags("none", tags), false);
}

TEST_F(ProfileDatabaseTest, LogsWhatItDoes) {
  const auto log = dir_.path() / "log";
  ASSERT_TRUE(set_log_file(log));
  set_log_level(LogLevel::debug);
  {
    ProfileDatabase database = open();
    ASSERT_TRUE(database.save_run(sample_run()));
    ASSERT_FALSE(database.save_run(sample_run()));
    ASSERT_FALSE(ProfileDatabase::connect(dir_.path()));
  }
  set_log_level(LogLevel::off);
  const std::string text = testing::read_file(log);
  const std::string path = path_.string();
  for (const std::string& line :
       {"info    store     Connected to profiling database at " + path,
        std::string{"debug   store     Added 10 power samples for run 5eed0123456789ab"},
        std::string{"info    store     Profiling run 5eed0123456789ab saved to database"},
        "error   store     Failed to save run to database: Run 5eed0123456789ab is in " + path,
        "error   store     Database connection failed: " + dir_.path().string() +
            " is a directory"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nnot in\n" << text;
  }
}

TEST_F(ProfileDatabaseTest, WithoutAConnectionEveryCallSaysSo) {
  ProfileDatabase database;
  const auto refused = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::not_running);
    EXPECT_EQ(result.error().message, "Database connection not established. Call connect() first.");
  };
  refused(database.save_run(sample_run()));
  refused(StepStore(database).begin_run(sample_run()));
  refused(StepStore(database).append_steps("x", {}));
  refused(database.delete_run("x"));
  refused(database.set_tags("x", {}));
  refused(database.get_run("x"));
  refused(database.summary("x"));
  refused(database.pipeline("x"));
  refused(database.power_timeline("x"));
  refused(database.layer_components("x"));
  refused(database.resolve("x"));
  refused(database.list_runs());
  refused(StepStore(database).unfinished_runs());
  refused(StepStore(database).read_steps("x"));
  refused(database.stats());
  refused(database.check());
  refused(database.vacuum());
  refused(database.prune({}, true));
  refused(database.backup(dir_.path() / "copy.db"));
  EXPECT_EQ(database.health().state, BreakerState::open);
  ASSERT_TRUE(database.health().last_error) << "a database that was never connected is not healthy";
  EXPECT_EQ(database.health().last_error->code, ErrorCode::not_running);
  EXPECT_TRUE(files().empty());
}

TEST_F(ProfileDatabaseTest, AfterAMoveTheOldObjectSaysSo) {
  ProfileDatabase database = open();
  ProfileDatabase moved = std::move(database);
  ASSERT_TRUE(moved.save_run(sample_run()));
  // NOLINTBEGIN(bugprone-use-after-move): that is the test
  EXPECT_EQ(database.get_run("x").error().message,
            "Database connection not established. Call connect() first.");
  EXPECT_EQ(database.save_run(sample_run()).error().code, ErrorCode::not_running);
  EXPECT_EQ(database.list_runs().error().code, ErrorCode::not_running);
  EXPECT_EQ(database.resolve("last").error().code, ErrorCode::not_running);
  EXPECT_EQ(database.delete_run("x").error().code, ErrorCode::not_running);
  EXPECT_TRUE(database.path().empty());
  // NOLINTEND(bugprone-use-after-move)
}

TEST_F(ProfileDatabaseTest, AFileThatIsNotADatabaseIsRefusedAndUnchanged) {
  for (const std::string& content : {std::string{"GGUF"}, std::string(100'000, 'x')}) {
    const fs::path path = dir_.write("model.gguf", content);
    const Error error = refused(path, ErrorCode::corrupt);
    EXPECT_NE(error.message.find("is not a database"), std::string::npos);
    EXPECT_EQ(testing::read_file(path), content);
  }
  EXPECT_EQ(files(), std::vector<std::string>{"model.gguf"});
}

TEST_F(ProfileDatabaseTest, ADamagedFileSaysWhichCommandsHelp) {
  const fs::path path = dir_.path() / "it's mine.db";
  ProfiledRun large = sample_run("large");
  large.power.samples.resize(10'000, large.power.samples[1]);
  {
    auto database = ProfileDatabase::connect(path);
    ASSERT_TRUE(database && database->save_run(sample_run()) && database->save_run(large));
  }
  std::string content = testing::read_file(path);
  content.replace(content.size() - 20UL * 4096, 4096, 4096, '\xFF');  // among the samples
  dir_.write(path.filename(), content);

  auto database = ProfileDatabase::connect(path);
  ASSERT_TRUE(database) << database.error().message;
  const auto read = database->get_run("large");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::corrupt) << read.error().message;
  EXPECT_NE(read.error().message.find("read run large"), std::string::npos);
  const std::string file = shell_quote(path.string());
  EXPECT_NE(read.error().hint.find("enprof db check --db " + file + ". "), std::string::npos);
  EXPECT_NE(read.error().hint.find("--db " + file + " --salvage " + file + ".salvaged"),
            std::string::npos);
  EXPECT_EQ(stored(*database, sample_run().run_id), sample_run());
  EXPECT_TRUE(database->summary("large")) << "what lies elsewhere is still read";
}

TEST_F(ProfileDatabaseTest, AFileThatIsCutOffIsDamaged) {
  ASSERT_TRUE(open().save_run(sample_run()));
  fs::resize_file(path_, 4096);
  const Error error = refused(path_, ErrorCode::corrupt);
  EXPECT_NE(error.message.find("is damaged"), std::string::npos) << error.message;
}

TEST_F(ProfileDatabaseTest, ALockedFileIsBusyAfterTheTimeout) {
  {
    auto other = raw();
    other.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE t (a); BEGIN EXCLUSIVE");
    const Error error = refused(path_, ErrorCode::busy);
    EXPECT_NE(error.hint.find("fuser"), std::string::npos);
    other.exec("ROLLBACK; DROP TABLE t");
  }
  auto database = ProfileDatabase::connect(path_, kImpatient);
  ASSERT_TRUE(database) << database.error().message;
  auto writer = raw();
  writer.exec("BEGIN IMMEDIATE");
  const auto saved = database->save_run(sample_run());
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::busy);
  EXPECT_EQ(database->delete_run("x").error().code, ErrorCode::busy);
  EXPECT_TRUE(database->list_runs()) << "a reader does not wait for a writer";
  writer.exec("COMMIT");
  EXPECT_TRUE(database->save_run(sample_run()));
}

#if defined(__linux__)

/// How often a thread of this process has given its CPU up to wait for something.
long waits_of(pid_t thread) {
  std::ifstream in("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(in, line);) {
    constexpr std::string_view kName = "voluntary_ctxt_switches:";
    if (line.starts_with(kName)) {
      return std::stol(line.substr(kName.size()));
    }
  }
  return 0;
}

TEST_F(ProfileDatabaseTest, ALockIsWaitedFor) {
  auto database = ProfileDatabase::connect(path_, {.busy_timeout = testing::kLongWait});
  ASSERT_TRUE(database) << database.error().message;
  auto writer = raw();
  writer.exec("BEGIN IMMEDIATE");
  std::atomic<pid_t> thread{0};
  std::atomic<bool> is_saved{false};
  const std::jthread saving([&] {
    thread = ::gettid();
    const auto saved = database->save_run(sample_run());
    EXPECT_TRUE(saved) << saved.error().message;
    is_saved = true;
  });
  testing::wait_until("the run is about to be saved", [&] { return thread != 0; });
  testing::wait_until("it waits for the lock, time and again",
                      [&, before = waits_of(thread)] { return waits_of(thread) >= before + 5; });
  EXPECT_FALSE(is_saved);
  writer.exec("COMMIT");
}

#endif

TEST_F(ProfileDatabaseTest, SeveralProgramsMayStartAtOnceOnANewFile) {
  for (int round = 0; round < 5; ++round) {
    const fs::path path = dir_.path() / std::to_string(round) / "profiles.db";
    std::atomic<int> good = 0;
    {
      std::vector<std::jthread> threads;
      for (int index = 0; index < 8; ++index) {
        threads.emplace_back([&, index] {
          auto database = ProfileDatabase::connect(path);
          EXPECT_TRUE(database) << database.error().message;
          if (database && database->save_run(sample_run("run" + std::to_string(index)))) {
            ++good;
          }
        });
      }
    }
    EXPECT_EQ(good, 8);
    EXPECT_EQ(ProfileDatabase::connect(path)->list_runs()->total, 8U);
  }
}

TEST_F(ProfileDatabaseTest, ReadersSeeWholeRunsWhileAWriterWrites) {
  ProfileDatabase writer = open();
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::vector<std::jthread> readers;
  for (int index = 0; index < 3; ++index) {
    readers.emplace_back([&] {
      ProfileDatabase database = open();
      while (!done) {
        const auto id = database.resolve("last");
        if (!id) {
          continue;
        }
        const auto run = database.get_run(*id);
        EXPECT_TRUE(run) << run.error().message;
        if (run && *run) {
          EXPECT_EQ(**run, sample_run(*id));
          ++reads;
        }
      }
    });
  }
  for (int index = 0; index < 50 || reads < 20; ++index) {
    const std::string id = "run" + std::to_string(index);
    ASSERT_TRUE(writer.save_run(sample_run(id)));
    if (index % 2 == 1) {
      EXPECT_EQ(writer.delete_run(id), true);
    }
  }
  done = true;
}

TEST_F(ProfileDatabaseTest, MissingRightsAreNamed) {
  const testing::Unprivileged user;
  if (!testing::Unprivileged::works()) {
    GTEST_SKIP() << "root may do anything, and this process cannot become another user";
  }
  const testing::TempDir dir;  // that user's
  const fs::path path = dir.path() / "profiles.db";
  ASSERT_TRUE(ProfileDatabase::connect(path));
  ASSERT_EQ(chmod(path.c_str(), S_IRUSR), 0);
  refused(path, ErrorCode::permission_denied);
  ASSERT_EQ(chmod(path.c_str(), S_IRUSR | S_IWUSR), 0);
  ASSERT_EQ(chmod(dir.path().c_str(), S_IRUSR | S_IXUSR), 0);
  refused(dir.path() / "new.db", ErrorCode::permission_denied);
  refused(path, ErrorCode::permission_denied);
  ASSERT_EQ(chmod(dir.path().c_str(), S_IRWXU), 0);
}

TEST_F(ProfileDatabaseTest, DecimalCommasChangeNothing) {
  const testing::GermanLocale german;
  ASSERT_TRUE(open().save_run(sample_run()));
  ProfileDatabase database = open();
  EXPECT_EQ(stored(database, sample_run().run_id), sample_run());
  EXPECT_EQ(database.list_runs()->runs.at(0).energy, sample_run().totals.figure.total);
  EXPECT_EQ(raw().execAndGet("SELECT count(*) FROM runs WHERE carbon_g_per_kwh = 123.4").getInt(),
            1);
  if (!german.whole()) {
    GTEST_SKIP() << testing::GermanLocale::why_not();
  }
}

}  // namespace
}  // namespace enprof
