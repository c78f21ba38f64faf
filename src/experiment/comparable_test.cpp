#include "experiment/comparable.hpp"

#include "experiment/comparison_test_support.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAreArray;

TEST(Comparable, RunsThatMayBeQuotedAreCompared) {
  ProfiledRun run = testing::run_of(1.0);
  EXPECT_EQ(refusal(true, run), nullptr);
  run.totals.figure.dynamic.reset();
  judge_run(run);
  EXPECT_EQ(run.verdict, VerdictLevel::with_caution);
  EXPECT_EQ(refusal(true, run), nullptr);
}

TEST(Comparable, ARunThatIsNotComparableSaysWhy) {
  ProfiledRun run = testing::run_of(1.0);
  testing::refuse(run, "foreign_load");
  ASSERT_NE(refusal(false, run), nullptr);
  EXPECT_EQ(refusal(true, run)->message, "because of foreign_load");
  EXPECT_TRUE(is_worth_repeating(run));
  EXPECT_EQ(why_repeated(run), "was disturbed: because of foreign_load");
}

TEST(Comparable, ARunThatNothingDisturbedIsRepeatedAsAnOutlier) {
  EXPECT_EQ(why_repeated(testing::run_of(1.0)), "is unlike the others");
}

TEST(Comparable, TimesOfAnEstimateAreMeasured) {
  ProfiledRun run = testing::run_of(1.0);
  testing::refuse(run, "estimate");
  EXPECT_NE(refusal(true, run), nullptr);
  EXPECT_EQ(refusal(false, run), nullptr);
  EXPECT_FALSE(is_worth_repeating(run)) << "it would be an estimate again";
}

TEST(Comparable, TheDashboardHasTheSameRules) {
  std::ifstream in(std::string{ENPROF_SOURCE_DIR} + "/web/src/parts/comparable.ts");
  ASSERT_TRUE(in);
  const std::string source{std::istreambuf_iterator<char>{in}, {}};
  const auto begin = source.find("ABOUT_ENERGY = new Set([");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = source.substr(begin, source.find(']', source.find('[', begin)) - begin);
  const std::regex word("\"([a-z_]+)\"");
  std::vector<std::string> codes;
  for (std::sregex_iterator at(list.begin(), list.end(), word); at != std::sregex_iterator{};
       ++at) {
    codes.push_back((*at)[1]);
  }
  EXPECT_THAT(codes, ElementsAreArray(reasons_about_energy()));
}

}  // namespace
}  // namespace enprof
