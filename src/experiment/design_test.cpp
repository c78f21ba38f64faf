#include "experiment/design.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int> numbers(std::string_view text) {
  const auto parsed = parse_numbers(text, -1, 100'000);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(std::vector<int>{});
}

TEST(Design, ListsAndRangesAsLlamaBenchTakesThem) {
  EXPECT_THAT(numbers("512"), ElementsAre(512));
  EXPECT_THAT(numbers("4,1,2"), ElementsAre(4, 1, 2));
  EXPECT_THAT(numbers("1-4"), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(numbers("8-32+8"), ElementsAre(8, 16, 24, 32));
  EXPECT_THAT(numbers("1-10*2,3"), ElementsAre(1, 2, 4, 8, 3));
  EXPECT_THAT(numbers("-1,0,99"), ElementsAre(-1, 0, 99));
  EXPECT_THAT(numbers("2,2,1-2"), ElementsAre(2, 1)) << "each number once";
}

TEST(Design, WhatIsNoListIsRefusedWithTheFormOfOne) {
  for (const char* const wrong : {"", "x", "1,,2", "1,", "4-1", "1-", "1-4+0", "1-4*1", "1-4/2",
                                  "1.5", "99999999999", "0-8*2", "1-4+x"}) {
    const auto parsed = parse_numbers(wrong, 0, 1'000'000);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_THAT(parsed.error().message, HasSubstr("is not a number or a range")) << wrong;
    EXPECT_THAT(parsed.error().hint, HasSubstr("8-32+8"));
  }
  EXPECT_THAT(parse_numbers("1,513", 0, 512).error().message,
              HasSubstr("513 is out of range: it may be 0 to 512"));
  EXPECT_THAT(parse_numbers("1-1000000000", 0, 2'000'000'000).error().message,
              HasSubstr("more than 1000 numbers"));
}

TEST(Design, EachCombinationIsAPointWithItsOwnLabel) {
  ExperimentDesign design{.models = {"dir/a-q8.gguf", "dir/a-q4.gguf"}};
  design.threads = {1, 2};
  design.prompt_tokens = {128, 512};
  const auto points = design.points();
  ASSERT_EQ(points.size(), 8U);
  EXPECT_EQ(points.front().label, "a-q8.gguf p128 n128 t1");
  EXPECT_EQ(points.back().label, "a-q4.gguf p512 n128 t2");
  std::set<std::string> labels;
  for (const ExperimentPoint& point : points) {
    labels.insert(point.label);
  }
  EXPECT_EQ(labels.size(), points.size());
  design.models = {"one/a.gguf", "two/a.gguf"};
  EXPECT_EQ(design.points().front().label, "one/a.gguf p128 n128 t1") << "the names are alike";
}

TEST(Design, TheOrderOfARoundDependsOnSeedAndRoundAlone) {
  const auto order = order_of_round(7, 1, 20);
  EXPECT_EQ(order_of_round(7, 1, 20), order);
  EXPECT_NE(order_of_round(7, 2, 20), order);
  EXPECT_NE(order_of_round(8, 1, 20), order);
  auto sorted = order;
  std::ranges::sort(sorted);
  for (std::size_t index = 0; index < sorted.size(); ++index) {
    EXPECT_EQ(sorted[index], index);
  }
}

TEST(Design, EachPlaceIsEquallyLikelyForEachPoint) {
  int first = 0;
  for (int round = 1; round <= 1000; ++round) {
    first += order_of_round(1, round, 2).front() == 0 ? 1 : 0;
  }
  EXPECT_NEAR(first, 500, 60);
}

TEST(Design, ComesBackFromTheTagOfARun) {
  ExperimentDesign design{.models = {"a,b.gguf"}, .repeats = 9, .seed = 3, .precision = 0.01};
  design.gpu_layers = {-1, 0};
  const auto back = design_from_json(design_to_json(design));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, design);
}

TEST(Design, ATagThatWasChangedIsRefused) {
  for (const char* const wrong :
       {"", "[]", "{}", R"({"models":[]})", R"({"models":["a"],"prompt_tokens":[0]})"}) {
    const auto design = design_from_json(wrong);
    ASSERT_FALSE(design) << wrong;
    EXPECT_EQ(design.error().code, ErrorCode::malformed);
    EXPECT_THAT(design.error().message, HasSubstr("The design of the experiment cannot be read"));
  }
}

}  // namespace
}  // namespace enprof
