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
  ExperimentDesign design{.blocks = {PointBlock{.models = {"dir/a-q8.gguf", "dir/a-q4.gguf"}}}};
  PointBlock& block = design.blocks.front();
  block.threads = {1, 2};
  block.prompt_tokens = {128, 512};
  const auto points = design.points();
  ASSERT_EQ(points.size(), 8U);
  EXPECT_EQ(points.front().label, "a-q8.gguf p128 n128 t1");
  EXPECT_EQ(points.back().label, "a-q4.gguf p512 n128 t2");
  std::set<std::string> labels;
  for (const ExperimentPoint& point : points) {
    labels.insert(point.label);
  }
  EXPECT_EQ(labels.size(), points.size());
  block.models = {"one/a.gguf", "two/a.gguf"};
  EXPECT_EQ(design.points().front().label, "one/a.gguf p128 n128 t1") << "the names are alike";
}

TEST(Design, EachAxisIsInLabelsAndComesBackFromItsText) {
  for (const Axis& axis : axes()) {
    PointBlock block{.models = {"a.gguf"}};
    const int other = axis.usual + 1 <= axis.most ? axis.usual + 1 : axis.usual - 1;
    block.*axis.values = {axis.usual, other};
    const auto points = points_of(block, false);
    ASSERT_EQ(points.size(), 2U) << axis.key;
    EXPECT_NE(points[0].label, points[1].label) << axis.key;
    EXPECT_EQ(points[1].*axis.value, other) << axis.key;
    EXPECT_THAT(points[1].label, HasSubstr(axis.text_of(other))) << axis.key;
    const auto parsed = axis.parse(axis.text_of(other));
    ASSERT_TRUE(parsed) << axis.key;
    EXPECT_THAT(*parsed, ElementsAre(other)) << axis.key;
  }
  EXPECT_EQ(find_axis("thread"), nullptr);
}

TEST(Design, WordsOfAnAxisHaveSuggestions) {
  const Axis& cache = *find_axis("cache_type_k");
  EXPECT_THAT(*cache.parse("Q8_0,f16,q8_0"), ElementsAre(4, 2));
  const auto wrong = cache.parse("f16,q8-0");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("\"q8-0\" is not known"));
  EXPECT_THAT(wrong.error().hint, HasSubstr("Did you mean 'q8_0'?"));
}

TEST(Design, PointsOfANamedBlockAreCalledByWhatVaries) {
  PointBlock block{.name = "small", .models = {"dir/a.gguf"}};
  block.output_tokens = {32};
  EXPECT_EQ(points_of(block, false).front().label, "small");
  block.threads = {1, 2};
  EXPECT_EQ(points_of(block, false).back().label, "small t2");
}

TEST(Design, ExcludedCombinationsAreNoPoints) {
  ExperimentDesign design{
      .blocks = {PointBlock{.models = {"a.gguf", "b.gguf"}}},
      .exclusions = {Exclusion{.models = {"dir/b.gguf"}, .values = {{"threads", {1}}}}}};
  design.blocks.front().threads = {1, 2};
  const auto points = design.points();
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points.back().label, "b.gguf p512 n128 t2");
  design.exclusions.front() = Exclusion{.values = {{"threads", {1, 2}}}};
  EXPECT_THAT(check_points(design).error().message, HasSubstr("all are excluded"));
}

TEST(Design, TooManyCombinationsAreRefusedBeforeTheyAreMade) {
  ExperimentDesign design{.blocks = {PointBlock{.models = {"a.gguf"}}}};
  std::vector<int> many(1000);
  design.blocks.front().threads = many;
  design.blocks.front().batches = many;
  design.blocks.front().prompt_tokens = many;
  EXPECT_THAT(check_points(design).error().message, HasSubstr("1e+09 combinations"));
}

TEST(Design, SettingsThatContradictEachOtherAreKnown) {
  ExperimentPoint point;
  EXPECT_FALSE(contradiction(point));
  point.batch = 8;
  point.micro_batch = 16;
  EXPECT_THAT(contradiction(point).value_or(""), HasSubstr("-ub 16 is more than -b 8"));
  point = {};
  point.flash_attention = 2;
  point.cache_type_v = 4;
  EXPECT_THAT(contradiction(point).value_or(""), HasSubstr("need flash attention"));
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
  ExperimentDesign design{
      .blocks = {PointBlock{.models = {"a,b.gguf"}},
                 PointBlock{.name = "named", .models = {"c"}, .prompt_files = {"story.txt"}}},
      .exclusions = {Exclusion{.models = {"c"}, .values = {{"threads", {1, 2}}}}},
      .repeats = 9,
      .seed = 3,
      .precision = 0.01,
      .quality = QualityRequest{.text = "t.txt", .reference = "c", .chunks = 3}};
  design.blocks.front().gpu_layers = {-1, 0};
  design.blocks.front().cache_types_v = {0, 4};
  const auto back = design_from_json(design_to_json(design));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, design);
}

TEST(Design, ATagOfTheFirstVersionIsRead) {
  const auto design = design_from_json(
      R"({"models":["a.gguf"],"prompt_tokens":[64],"output_tokens":[8],"threads":[1,2],)"
      R"("batches":[32],"micro_batches":[0],"gpu_layers":[-1],"repeats":3,"seed":1,)"
      R"("precision":null})");
  ASSERT_TRUE(design) << design.error().message;
  ASSERT_EQ(design->points().size(), 2U);
  EXPECT_EQ(design->points().front().label, "a.gguf p64 n8 t1 b32");
}

TEST(Design, ATagThatWasChangedIsRefused) {
  for (const char* const wrong :
       {"", "[]", "{}", R"({"models":[]})", R"({"models":["a"],"prompt_tokens":[0]})",
        R"({"blocks":[],"repeats":1,"seed":0})"}) {
    const auto design = design_from_json(wrong);
    ASSERT_FALSE(design) << wrong;
    EXPECT_EQ(design.error().code, ErrorCode::malformed);
    EXPECT_THAT(design.error().message, HasSubstr("The design of the experiment cannot be read"));
  }
}

}  // namespace
}  // namespace enprof
