#include "experiment/run_labels.hpp"

#include "experiment/comparison_test_support.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace enprof {
namespace {

TEST(RunLabels, ValuesOfTags) {
  const std::vector<std::string> tags{"nightly", "rounds=9", "round=3"};
  EXPECT_EQ(tag_value(tags, "round"), "3");
  EXPECT_EQ(tag_value(tags, "point"), std::nullopt);
  EXPECT_EQ(round_of(testing::run_of(1.0, 7)), 7);
  ProfiledRun run = testing::run_of(1.0);
  EXPECT_EQ(round_of(run), std::nullopt);
  run.tags = {"round=x"};
  EXPECT_EQ(round_of(run), std::nullopt);
}

TEST(RunLabels, ThePointOfARunIsItsTagElseItsFacts) {
  ProfiledRun run = testing::run_of(1.0);
  EXPECT_EQ(point_of(run), "a.gguf Q8_0 p10 t2");
  run.model.gpu_layers = 33;
  EXPECT_EQ(point_of(run), "a.gguf Q8_0 p10 t2 ngl33");
  run.tags = {"point=a.gguf p512 n128 t2"};
  EXPECT_EQ(point_of(run), "a.gguf p512 n128 t2");
}

TEST(RunLabels, RunsAreGroupedInTheOrderOfTheirPoints) {
  ProfiledRun other = testing::run_of(2.0);
  other.model.threads = 1;
  const auto points = by_point({testing::run_of(1.0), other, testing::run_of(3.0)});
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].point, "a.gguf Q8_0 p10 t2");
  EXPECT_EQ(points[0].runs.size(), 2U);
  EXPECT_EQ(points[1].point, "a.gguf Q8_0 p10 t1");
}

TEST(RunLabels, ASelectorNamesAPointByItsWords) {
  const std::string point = "Llama-Q4_K.gguf p512 n128 t2";
  EXPECT_TRUE(is_meant(point, "q4"));
  EXPECT_TRUE(is_meant(point, "q4,t2"));
  EXPECT_TRUE(is_meant(point, "P512 t2"));
  EXPECT_TRUE(is_meant(point, point));
  EXPECT_FALSE(is_meant(point, "q8"));
  EXPECT_FALSE(is_meant(point, "q4,t1"));
  EXPECT_FALSE(is_meant("a.gguf t24", "t2")) << "a setting is compared as a whole";
}

}  // namespace
}  // namespace enprof
