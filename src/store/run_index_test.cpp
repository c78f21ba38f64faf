#include "store/run_index.hpp"

#include "enprof/store/profile_database.hpp"

#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>
#include <vector>

namespace enprof {
namespace {

using std::chrono::milliseconds;

class RunIndex : public ::testing::Test {
 protected:
  void save(const std::string& run_id, int start_ms, const std::string& model = "small",
            std::vector<std::string> tags = {}, const std::string& experiment = {}) {
    ProfiledRun run;
    run.run_id = run_id;
    run.started_at = WallTime{milliseconds{start_ms}};
    run.model.name = model;
    run.tags = std::move(tags);
    run.experiment = experiment;
    const auto saved = database_.save_run(run);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  std::string ids(const RunFilter& filter) {
    const auto list = database_.list_runs(filter);
    EXPECT_TRUE(list) << list.error().message;
    std::string text;
    for (const RunSummary& run : list->runs) {
      text += run.run_id + " ";
    }
    return text + "of " + std::to_string(list->total);
  }
  std::string resolved(std::string_view name) {
    const auto id = database_.resolve(name);
    return id ? *id : std::string{to_string(id.error().code)};
  }

  const testing::TempDir dir_;
  ProfileDatabase database_ = ProfileDatabase::connect(dir_.path() / "profiles.db").value();
};

TEST_F(RunIndex, ListsExperiments) {
  EXPECT_TRUE(database_.experiments().value().empty());
  save("r1", 10, "small", {}, "old");
  save("r2", 30, "small", {}, "new");
  save("r3", 20, "large", {}, "new");
  save("r4", 40);
  const std::vector<ExperimentSummary> found = database_.experiments().value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], (ExperimentSummary{.name = "new",
                                         .runs = 2,
                                         .first = WallTime{milliseconds{20}},
                                         .last = WallTime{milliseconds{30}}}));
  EXPECT_EQ(found[1].name, "old");
}

TEST_F(RunIndex, SortsBeforeItCuts) {
  for (const int start : {50, 10, 40, 20, 30}) {
    save("r" + std::to_string(start), start);
  }
  EXPECT_EQ(ids({}), "r50 r40 r30 r20 r10 of 5");
  EXPECT_EQ(ids({.limit = 2}), "r50 r40 of 5");
  EXPECT_EQ(ids({.limit = 2, .offset = 3}), "r20 r10 of 5");
  EXPECT_EQ(ids({.offset = 5}), "of 5");
  EXPECT_EQ(ids({.limit = 0}), "of 5");
  constexpr auto kMost = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(ids({.limit = kMost}), "r50 r40 r30 r20 r10 of 5");
  EXPECT_EQ(ids({.offset = kMost}), "of 5");
}

TEST_F(RunIndex, OfOneMomentTheOneSavedLastIsNewest) {
  save("first", 10);
  save("second", 10);
  save("early", -10);
  EXPECT_EQ(ids({}), "second first early of 3");
  EXPECT_EQ(resolved("last"), "second");
}

TEST_F(RunIndex, FiltersMayBeCombined) {
  save("a", 1, "small", {"x", "y"}, "e1");
  save("b", 2, "small", {"y", "y"}, "e2");
  save("c", 3, "large", {"y"}, "e2");
  save("d", 4, "small%", {"%"}, "e_");
  EXPECT_EQ(ids({.model = "small"}), "b a of 2");
  EXPECT_EQ(ids({.tag = "y"}), "c b a of 3");
  EXPECT_EQ(ids({.experiment = "e2"}), "c b of 2");
  EXPECT_EQ(ids({.model = "small", .tag = "y"}), "b a of 2");
  EXPECT_EQ(ids({.model = "small", .tag = "y", .experiment = "e2"}), "b of 1");
  EXPECT_EQ(ids({.model = "small", .tag = "y", .limit = 1, .offset = 1}), "a of 2");
  EXPECT_EQ(ids({.tag = "%"}), "d of 1");
  EXPECT_EQ(ids({.model = "Small"}), "of 0");
  EXPECT_EQ(ids({.experiment = "' OR 1 = 1 --"}), "of 0");
}

TEST_F(RunIndex, AModelIsFoundByAPartOfItsName) {
  save("a", 1, "Gemma-3-1B_it.Q8_0.gguf");
  save("b", 2, "gemma-2b%.gguf");
  save("c", 3, "llama-3.gguf");
  EXPECT_EQ(ids({.model_text = "gemma"}), "b a of 2");
  EXPECT_EQ(ids({.model_text = "GEMMA-3"}), "a of 1");
  EXPECT_EQ(ids({.model_text = "%"}), "b of 1") << "no character is special";
  EXPECT_EQ(ids({.model_text = "b_i"}), "a of 1");
  EXPECT_EQ(ids({.model_text = "1_"}), "of 0");
  EXPECT_EQ(ids({.model = "gemma"}), "of 0");
  EXPECT_EQ(ids({.model = "llama-3.gguf", .model_text = "gemma"}), "of 0");
}

TEST_F(RunIndex, AListedRunHasItsFigures) {
  const ProfiledRun run = testing::sample_run();
  ASSERT_TRUE(database_.save_run(run));
  save("bare", 1, "");
  const auto list = database_.list_runs();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->runs.size(), 2U);
  const RunSummary& full = list->runs[0];
  EXPECT_EQ(full.run_id, run.run_id);
  EXPECT_EQ(full.status, run.status);
  EXPECT_EQ(full.started_at, run.started_at);
  EXPECT_EQ(full.depth, run.depth);
  EXPECT_EQ(full.model, run.model.name);
  EXPECT_EQ(full.quantization, run.model.quantization);
  EXPECT_EQ(full.experiment, run.experiment);
  EXPECT_EQ(full.tags, run.tags);
  EXPECT_EQ(full.prompt, run.prompt);
  EXPECT_EQ(full.duration, run.totals.figure.duration);
  EXPECT_EQ(full.prompt_tokens, run.totals.prompt_tokens);
  EXPECT_EQ(full.output_tokens, run.totals.output_tokens);
  EXPECT_EQ(full.energy, run.totals.figure.total);
  EXPECT_EQ(full.energy_per_output_token, run.totals.energy_per_output_token);
  EXPECT_EQ(full.method, run.totals.figure.quality.method);
  EXPECT_EQ(full.warnings, run.warnings.size());
  const RunSummary& bare = list->runs[1];
  EXPECT_EQ(bare.model, "");
  EXPECT_EQ(bare.energy, std::nullopt);
  EXPECT_EQ(bare.method, std::nullopt);
  EXPECT_EQ(bare.warnings, 0U);
}

TEST_F(RunIndex, AnIndexThatNamesARunThatIsNotThereIsDamage) {
  save("a", 1);
  const std::string path = database_.path().string();
  database_ = ProfileDatabase{};
  {
    SQLite::Database without(path, SQLite::OPEN_READWRITE);
    without.exec(
        "PRAGMA writable_schema = ON; CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE "
        "type = 'index' AND tbl_name = 'runs' AND sql IS NOT NULL; DELETE FROM sqlite_schema WHERE "
        "name IN (SELECT name FROM kept)");
  }
  {
    SQLite::Database back(path, SQLite::OPEN_READWRITE);
    back.exec(
        "DELETE FROM runs; PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM "
        "kept; DROP TABLE kept");
  }
  database_ = ProfileDatabase::connect(path).value();
  const auto list = database_.list_runs();
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, ErrorCode::corrupt) << list.error().message;
  EXPECT_NE(list.error().hint.find("--salvage"), std::string::npos) << list.error().hint;
}

TEST_F(RunIndex, ARunIsNamedByIdPrefixOrLast) {
  EXPECT_EQ(resolved("last"), "not_found");
  save("abc1", 30);
  save("abc2", 20);
  save("abd", 40);
  save("ab", 10);
  EXPECT_EQ(resolved("abc1"), "abc1");
  EXPECT_EQ(resolved("abd"), "abd");
  EXPECT_EQ(resolved("last"), "abd");
  EXPECT_EQ(resolved("ab"), "ab");  // a full id is not taken for a prefix
  EXPECT_EQ(resolved("abc"), "invalid_argument");
  EXPECT_EQ(resolved("abc3"), "not_found");
  EXPECT_EQ(resolved("ABC1"), "not_found");
  EXPECT_EQ(resolved(""), "invalid_argument");

  const auto ambiguous = database_.resolve("abc");
  EXPECT_EQ(ambiguous.error().message, "2 runs begin with abc");
  EXPECT_NE(ambiguous.error().hint.find("abc1, abc2"), std::string::npos);
  EXPECT_EQ(database_.resolve("zz").error().message, "There is no run zz");
}

TEST_F(RunIndex, NoCharacterOfAPrefixMeansMoreThanItself) {
  save("a%1", 1);
  save("a_2", 2);
  save("ab3", 3);
  save(
      "\xFF\xFF"
      "4",
      4);
  save(
      "\xFE"
      "5",
      5);
  EXPECT_EQ(resolved("a%"), "a%1");
  EXPECT_EQ(resolved("a_"), "a_2");
  EXPECT_EQ(resolved("%"), "not_found");
  EXPECT_EQ(resolved("*"), "not_found");
  EXPECT_EQ(resolved("\xFF"),
            "\xFF\xFF"
            "4");
  EXPECT_EQ(resolved("\xFF\xFF"),
            "\xFF\xFF"
            "4");
  EXPECT_EQ(resolved("\xFE"),
            "\xFE"
            "5");
}

TEST_F(RunIndex, ALongListOfMatchesIsCut) {
  for (int index = 10; index < 30; ++index) {
    save("x" + std::to_string(index), index);
  }
  const auto ambiguous = database_.resolve("x");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().message, "20 runs begin with x");
  EXPECT_NE(ambiguous.error().hint.find("x19, …"), std::string::npos) << ambiguous.error().hint;
}

TEST_F(RunIndex, ARunMayBeCalledLast) {
  save("last", 1);
  save("other", 2);
  EXPECT_EQ(resolved("last"), "last");
}

}  // namespace
}  // namespace enprof
