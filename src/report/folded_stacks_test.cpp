#include "report/folded_stacks.hpp"

#include "support/small_run.hpp"
#include "support/whole_text.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>

namespace enprof {
namespace {

std::string folded(const ProfiledRun& run, StackWeight weight = StackWeight::energy) {
  FoldedStacks stacks(std::make_unique<RunInMemory>(run), weight);
  return testing::whole_text(stacks);
}

std::int64_t sum_of(const std::string& text) {
  std::istringstream lines(text);
  std::int64_t sum = 0;
  for (std::string line; std::getline(lines, line);) {
    sum += std::stoll(line.substr(line.rfind(' ')));
  }
  return sum;
}

TEST(FoldedStacks, HasALineForEachLeafInMicrojoules) {
  EXPECT_EQ(folded(testing::small_run()),
            "prefill;outside the layers;between operations 100000\n"
            "prefill;outside the layers;lm_head;MUL_MAT 800000\n"
            "prefill;layer 0;q_proj;MUL_MAT 1500000\n"
            "prefill;layer 0;q_proj;ROPE 500000\n"
            "prefill;forward, outside the passes 100000\n"
            "prefill;outside sections 1000000\n"
            "decode;outside the layers;between operations 200000\n"
            "decode;outside the layers;lm_head;MUL_MAT 1000000\n"
            "decode;layer 0;q_proj;MUL_MAT 2000000\n"
            "decode;layer 0;q_proj;ROPE 1000000\n"
            "decode;forward, outside the passes 800000\n"
            "decode;sampling 500000\n"
            "decode;outside sections 500000\n");
}

TEST(FoldedStacks, HasTimeInMicroseconds) {
  const std::string text = folded(testing::small_run_without_power(), StackWeight::time);
  EXPECT_EQ(text,
            "prefill;outside the layers;between operations 2000\n"
            "prefill;outside the layers;lm_head;MUL_MAT 8000\n"
            "prefill;layer 0;q_proj;MUL_MAT 15000\n"
            "prefill;layer 0;q_proj;ROPE 5000\n"
            "prefill;outside sections 10000\n"
            "decode;outside the layers;between operations 2000\n"
            "decode;outside the layers;lm_head;MUL_MAT 10000\n"
            "decode;layer 0;q_proj;MUL_MAT 20000\n"
            "decode;layer 0;q_proj;ROPE 10000\n"
            "decode;forward, outside the passes 8000\n"
            "decode;sampling 5000\n"
            "decode;outside sections 5000\n");
  EXPECT_EQ(sum_of(text), 100'000);
}

TEST(FoldedStacks, AddsUpAlthoughEachPartIsRounded) {
  ProfiledRun run = testing::small_run();
  run.components.clear();
  run.operation_table = {};
  run.sections.clear();
  for (int section = 0; section < 3000; ++section) {  // a third of a microjoule each
    run.sections.push_back({.phase = Phase::prefill,
                            .name = "s" + std::to_string(section),
                            .count = 1,
                            .figure = {.total = Joules{1e-6 / 3}}});
  }
  EXPECT_EQ(sum_of(folded(run)), 10'000'000);
}

TEST(FoldedStacks, WithoutEnergyItSaysThatTimeIsThere) {
  const ProfiledRun run = testing::small_run_without_power();
  FoldedStacks stacks(std::make_unique<RunInMemory>(run), StackWeight::energy);
  std::string text;
  const auto made = stacks.next(text);
  ASSERT_FALSE(made);
  EXPECT_EQ(text, "");
  EXPECT_EQ(made.error().message, "The energy of run a1b2 is not known: nothing measured it");
  EXPECT_NE(made.error().hint.find("--weight time"), std::string::npos);
}

TEST(FoldedStacks, FramesCannotBeMistakenForOthers) {
  EXPECT_EQ(FoldedStacks::line_of({"a;b", "c d"}), "a:b;c d");
  // A number at the end would be a second weight.
  EXPECT_EQ(FoldedStacks::line_of({"decode", "layer 3"}), "decode;layer_3");
  EXPECT_EQ(FoldedStacks::line_of({"x 1.5"}), "x_1.5");
  EXPECT_EQ(FoldedStacks::line_of({"x 1.5.2"}), "x 1.5.2");
  EXPECT_EQ(FoldedStacks::line_of({"x 1a"}), "x 1a");
  EXPECT_EQ(FoldedStacks::line_of({"x .5"}), "x .5");
  EXPECT_EQ(FoldedStacks::line_of({"12"}), "12");
  EXPECT_EQ(FoldedStacks::line_of({}), "");

  ProfiledRun run = testing::small_run();
  run.components[0].component = "a;b\n\"c\" 7\xFF";
  run.components[1].component = "";
  run.operation_table = {};
  const std::string text = folded(run);
  EXPECT_NE(text.find("prefill;outside the layers;a:b\\n\"c\" 7\xEF\xBF\xBD 800000\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("prefill;outside the layers;(no name) 100000\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace enprof
