#include "store/schema.hpp"

#include "enprof/store/profile_database.hpp"

#include "base/shell_quote.hpp"
#include "store/schema_scripts.hpp"
#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace enprof {
namespace {

int number(SQLite::Database& database, const char* query) {
  return database.execAndGet(query).getInt();
}

class Schema : public ::testing::Test {
 protected:
  SQLite::Database open() const {
    return SQLite::Database(path_.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  }
  Result<void> migrate(SQLite::Database& database, std::span<const std::string> scripts) const {
    return bring_up_to_date(database, path_, scripts);
  }
  std::string schema_of(SQLite::Database& database) const {
    return database.execAndGet("SELECT group_concat(name || sql) FROM sqlite_schema").getString();
  }

  const testing::TempDir dir_;
  const std::filesystem::path path_ = dir_.path() / "profiles.db";
};

TEST_F(Schema, AnEmptyFileBecomesOursInOneStepForEachVersion) {
  auto database = open();
  ASSERT_TRUE(migrate(database, schema_migrations()));
  EXPECT_EQ(number(database, "PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(number(database, "PRAGMA user_version"), ProfileDatabase::kSchemaVersion);
  const std::string schema = schema_of(database);
  ASSERT_TRUE(migrate(database, schema_migrations()));  // nothing left to do
  EXPECT_EQ(schema_of(database), schema);
}

TEST_F(Schema, AFileWithPagesAndNoTablesIsEmptyToo) {
  open().exec("VACUUM");
  EXPECT_GT(std::filesystem::file_size(path_), 0U);
  EXPECT_TRUE(ProfileDatabase::connect(path_));
}

TEST_F(Schema, AnOlderFileIsBroughtForwardAndKeepsItsRows) {
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(ProfileDatabase::connect(path_)->save_run(run));
  const auto released = schema_migrations();
  std::vector<std::string> scripts(released.begin(), released.end());
  scripts.emplace_back("CREATE TABLE later (x); ALTER TABLE runs ADD COLUMN note TEXT;");
  scripts.emplace_back("INSERT INTO later VALUES (1);");
  auto database = open();
  ASSERT_TRUE(migrate(database, scripts));
  EXPECT_EQ(number(database, "PRAGMA user_version"), ProfileDatabase::kSchemaVersion + 2);
  EXPECT_EQ(number(database, "SELECT count(*) FROM later"), 1);
  EXPECT_EQ(number(database, "SELECT count(*) FROM tokens"), 3);
}

/// tests/data/profiles_v1.db was written by the program of version 1: sample_run() of that version,
/// and a run without any figures.
TEST_F(Schema, AFileOfVersion1IsBroughtForwardAndItsRunsAreRead) {
  std::filesystem::copy_file(ENPROF_TEST_DATA "/profiles_v1.db", path_);
  {
    auto before = open();
    ASSERT_EQ(number(before, "PRAGMA user_version"), 1);
  }
  auto database = ProfileDatabase::connect(path_);
  ASSERT_TRUE(database) << database.error().message;
  auto raw = open();
  EXPECT_EQ(number(raw, "PRAGMA user_version"), ProfileDatabase::kSchemaVersion);

  ProfiledRun expected = testing::sample_run();
  expected.depth = Depth::module;  // version 1 knew none of the deeper depths
  expected.layers.clear();
  expected.components.clear();
  expected.operations.clear();
  expected.operation_table = {};
  expected.values = {};
  expected.power.readings.clear();
  for (DomainFigure& domain : expected.power.domains) {
    domain.domain.scope = DomainScope::by_kind;
    domain.domain.device.clear();
    domain.domain.relative_uncertainty.reset();
  }
  // Nor did any figure have the error of its dynamic energy.
  const auto forget_error = [](Figure& figure) {
    figure.quality.dynamic_standard_error.reset();
    figure.quality.standard_uncertainty.reset();
    figure.quality.dynamic_standard_uncertainty.reset();
  };
  forget_error(expected.totals.figure);
  std::ranges::for_each(expected.phases, forget_error, &PhaseFigure::figure);
  std::ranges::for_each(expected.sections, forget_error, &SectionFigure::figure);
  std::ranges::for_each(expected.tokens, forget_error, &TokenFigure::figure);
  std::ranges::for_each(expected.power.domains, forget_error, &DomainFigure::figure);
  expected.totals.process_dynamic.reset();
  expected.totals.energy_per_input_token_uncertainty.reset();
  expected.totals.energy_per_output_token_uncertainty.reset();
  expected.verdict.reset();  // it was not judged
  expected.verdict_reasons.clear();
  expected.calibration.reset();
  expected.capture.reset();
  const auto run = database->get_run(expected.run_id);
  ASSERT_TRUE(run && *run) << run.error().message;
  EXPECT_EQ(**run, expected);
  const auto bare = database->get_run("bare");
  ASSERT_TRUE(bare && *bare);
  EXPECT_EQ((*bare)->totals.figure.total, std::nullopt);
  ASSERT_TRUE(database->save_run(testing::sample_run("new")));
  EXPECT_EQ(**database->get_run("new"), testing::sample_run("new"));
  EXPECT_EQ(database->list_runs()->total, 3U);
}

TEST_F(Schema, AStepThatFailsIsTakenBackWhole) {
  const auto released = schema_migrations();
  std::vector<std::string> scripts(released.begin(), released.end());
  auto database = open();
  ASSERT_TRUE(migrate(database, scripts));
  scripts.emplace_back("CREATE TABLE good (x);");
  scripts.emplace_back("CREATE TABLE half (x); CREATE TABLE good (x);");
  EXPECT_THROW(static_cast<void>(migrate(database, scripts)), SQLite::Exception);
  EXPECT_EQ(number(database, "PRAGMA user_version"), ProfileDatabase::kSchemaVersion + 1);
  EXPECT_EQ(number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
  EXPECT_EQ(number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'good'"), 1);
}

TEST_F(Schema, ANewerFileIsLeftAlone) {
  ASSERT_TRUE(ProfileDatabase::connect(path_));
  open().exec("PRAGMA user_version = 41");
  const auto database = ProfileDatabase::connect(path_);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::unsupported);
  EXPECT_NE(database.error().message.find("41"), std::string::npos) << database.error().message;
  EXPECT_NE(database.error().message.find(std::to_string(ProfileDatabase::kSchemaVersion)),
            std::string::npos);
  EXPECT_NE(database.error().hint.find("update"), std::string::npos);
  auto raw = open();
  EXPECT_EQ(number(raw, "PRAGMA user_version"), 41);
}

TEST_F(Schema, AnotherProgramsFileIsRefusedAndLeftAsItIs) {
  open().exec("CREATE TABLE cookies (a); CREATE TABLE history (a)");
  const std::string before = testing::read_file(path_);
  auto database = ProfileDatabase::connect(path_);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(database.error().message.find("another program (its tables: cookies, history)"),
            std::string::npos)
      << database.error().message;
  EXPECT_NE(database.error().hint.find("--db"), std::string::npos);
  EXPECT_EQ(testing::read_file(path_), before);

  open().exec("DROP TABLE cookies; DROP TABLE history; PRAGMA application_id = 77");
  database = ProfileDatabase::connect(path_);
  ASSERT_FALSE(database);
  EXPECT_NE(database.error().message.find("application id 0x4d"), std::string::npos);

  open().exec("PRAGMA application_id = 0; PRAGMA user_version = 3");
  EXPECT_FALSE(ProfileDatabase::connect(path_));
}

TEST_F(Schema, AMissingTableIsDamage) {
  ASSERT_TRUE(ProfileDatabase::connect(path_));
  open().exec("DROP TABLE tokens; DROP TABLE tags");
  const auto database = ProfileDatabase::connect(path_);
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, ErrorCode::corrupt);
  EXPECT_NE(database.error().message.find("tags, tokens"), std::string::npos)
      << database.error().message;
}

TEST_F(Schema, TheComputedColumnsAreInTheUnitsOfTheirNames) {
  ASSERT_TRUE(ProfileDatabase::connect(path_)->save_run(testing::sample_run()));
  auto database = open();
  // Each computed column is compared with its stored column in the unit of its name.
  EXPECT_EQ(number(database,
                   "SELECT count(*) FROM tokens WHERE energy_mj = energy_j * 1000 AND "
                   "duration_ms = duration_ns / 1000000.0 AND "
                   "mean_power_mw = mean_power_w * 1000 AND "
                   "standard_error_mj = standard_error_j * 1000"),
            3);
  EXPECT_EQ(database.execAndGet("SELECT started_at FROM runs").getString(),
            "2026-09-21T14:13:20.123Z");
  EXPECT_EQ(number(database,
                   "SELECT count(*) FROM power_samples WHERE abs(power_mw - "
                   "energy_mj / (duration_ms / 1000)) > 1e-6 * power_mw"),
            0);
}

TEST_F(Schema, DeletesByRunAndListsUseIndices) {
  ASSERT_TRUE(ProfileDatabase::connect(path_));
  auto database = open();
  const auto plan = [&](const std::string& query) {
    SQLite::Statement explain(database, "EXPLAIN QUERY PLAN " + query);
    std::string text;
    while (explain.executeStep()) {
      text += explain.getColumn(3).getString() + "\n";
    }
    return text;
  };
  const std::string sort = " ORDER BY started_at_ms DESC, run_key DESC LIMIT 50";
  EXPECT_EQ(plan("SELECT * FROM runs" + sort), "SCAN runs USING INDEX runs_by_start\n");
  EXPECT_EQ(plan("SELECT * FROM runs WHERE model_name = 'm'" + sort),
            "SEARCH runs USING INDEX runs_by_model (model_name=?)\n");
  EXPECT_EQ(plan("SELECT * FROM runs WHERE experiment = 'e'" + sort),
            "SEARCH runs USING INDEX runs_by_experiment (experiment=?)\n");
  for (const char* const table : {"tags", "tokens", "power_samples", "pipeline_sections"}) {
    EXPECT_NE(plan(std::string{"DELETE FROM "} + table + " WHERE run_key = 1")
                  .find("USING PRIMARY KEY (run_key=?)"),
              std::string::npos);
  }
}

/// The fenced SQL blocks of docs/schema.md.
std::vector<std::string> sql_blocks(const std::string& page) {
  constexpr std::string_view kOpen = "```sql\n";
  std::vector<std::string> blocks;
  for (std::size_t at = page.find(kOpen); at != std::string::npos; at = page.find(kOpen, at)) {
    at += kOpen.size();
    blocks.push_back(page.substr(at, page.find("```", at) - at));
  }
  return blocks;
}

TEST_F(Schema, ThePageNamesEveryTableAndStoredColumn) {
  ASSERT_TRUE(ProfileDatabase::connect(path_));
  const std::string page = testing::read_file(ENPROF_SCHEMA_PAGE);
  auto database = open();
  SQLite::Statement columns(
      database,
      "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c "
      "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.hidden = 0");
  while (columns.executeStep()) {
    const std::string table = columns.getColumn(0).getString();
    const std::string column = columns.getColumn(1).getString();
    EXPECT_NE(page.find("`" + table + "`"), std::string::npos) << table;
    EXPECT_NE(page.find("`" + column + "`"), std::string::npos) << table << "." << column;
  }
}

TEST_F(Schema, TheExamplesOfThePageRun) {
  if (system("command -v sqlite3 >/dev/null") != 0) {
    GTEST_SKIP() << "no sqlite3 program here";
  }
  {
    auto database = ProfileDatabase::connect(path_);
    ASSERT_TRUE(database);
    ProfiledRun request = testing::sample_run("00000000feedbeef");
    request.capture.reset();
    request.capture_id = testing::sample_run().run_id;
    request.request = RequestFigures{.number = 1};
    ASSERT_TRUE(database->save_run(testing::sample_run()));
    ASSERT_TRUE(database->save_run(request));
  }
  const std::vector<std::string> blocks = sql_blocks(testing::read_file(ENPROF_SCHEMA_PAGE));
  EXPECT_GE(blocks.size(), 3U);
  for (const std::string& block : blocks) {
    const auto script = dir_.write("query.sql", block);
    const auto output = dir_.path() / "output";
    const std::string command = "sqlite3 -batch -bail -box " + shell_quote(path_.string()) + " < " +
                                shell_quote(script.string()) + " > " +
                                shell_quote(output.string()) + " 2>&1";
    const int status = system(command.c_str());
    const std::string text = testing::read_file(output);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << block << text;
    EXPECT_FALSE(text.empty()) << "no rows:\n" << block;
  }
}

}  // namespace
}  // namespace enprof
