#include "store/kept_runs.hpp"

#include "support/sample_run.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

using testing::sample_run;

TEST(KeptRunsTest, ARunComesBackEqualButForWhatSaidThatItIsNotSaved) {
  KeptRuns kept;
  ProfiledRun run = sample_run("a");
  run.warnings.push_back({"store", "not_saved", "The run is not saved", ""});
  ASSERT_TRUE(kept.add(run, nullptr, {}));
  EXPECT_TRUE(kept.has("a"));
  EXPECT_EQ(*kept.read_to_save("a"), sample_run("a"));
  EXPECT_TRUE(kept.remove("a"));
  EXPECT_FALSE(kept.remove("a"));
  EXPECT_TRUE(kept.empty());
  EXPECT_FALSE(kept.has("a"));
}

TEST(KeptRunsTest, ARunIsSavedWithTheTagsThatItWasGivenMeanwhile) {
  KeptRuns kept;
  ASSERT_TRUE(kept.add(sample_run("a"), nullptr, {}));
  const std::vector<std::string> tags{"kept", "q8"};
  EXPECT_EQ(kept.set_tags("a", tags), true);
  EXPECT_EQ(kept.set_tags("b", tags), false);
  ProfiledRun tagged = sample_run("a");
  tagged.tags = tags;
  EXPECT_EQ(*kept.read_to_save("a"), tagged);
}

TEST(KeptRunsTest, BeyondTheLimitsTheOldestAreDropped) {
  KeptRuns few({.runs = 2});
  for (const char* const id : {"a", "b", "c"}) {
    ASSERT_TRUE(few.add(sample_run(id), nullptr, {}));
  }
  EXPECT_EQ(few.size(), 2U);
  EXPECT_FALSE(few.has("a"));

  ProfiledRun large = sample_run("x");
  large.response.assign(700'000, 'x');
  KeptRuns small({.bytes = 2'000'000});
  for (const char* const id : {"a", "b", "c", "d"}) {
    large.run_id = id;
    ASSERT_TRUE(small.add(large, nullptr, {})) << id;
  }
  EXPECT_FALSE(small.has("a"));
  EXPECT_TRUE(small.has("d"));
  EXPECT_EQ(*small.read_to_save("d"), large);
  large.response.assign(5'000'000, 'x');
  large.run_id = "too large";
  EXPECT_EQ(small.add(large, nullptr, {}).error().code, ErrorCode::too_large);
  EXPECT_FALSE(small.has("too large"));
}

}  // namespace
}  // namespace enprof
