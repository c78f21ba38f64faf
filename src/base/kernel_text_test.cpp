#include "base/kernel_text.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(KernelText, ReadsAFileAsAWhole) {
  const testing::TempDir dir;
  EXPECT_EQ(text_of(dir.write("stat", "a 1\nb 2\n")), "a 1\nb 2\n");
  EXPECT_EQ(text_of(dir.write("empty", "")), "");
  EXPECT_EQ(text_of(dir.path() / "none"), std::nullopt);
  EXPECT_EQ(text_of(dir.path()), std::nullopt) << "a directory";
}

TEST(KernelText, SeparatesWords) {
  EXPECT_THAT(words_of("  a\tb\n\nc "), ElementsAre("a", "b", "c"));
  EXPECT_THAT(words_of(" \n"), IsEmpty());
}

TEST(KernelText, ANumberIsDigitsAlone) {
  EXPECT_EQ(whole_number_in("0"), 0U);
  EXPECT_EQ(whole_number_in("9223372036854775807"), 9223372036854775807U);
  for (const char* text : {"", "-1", "+1", "1.5", "0x10", "12a", "max", "18446744073709551615"}) {
    EXPECT_EQ(whole_number_in(text), std::nullopt) << text;
  }
  const testing::TempDir dir;
  EXPECT_EQ(number_of(dir.write("count", " 17\n")), 17U);
  EXPECT_EQ(number_of(dir.write("count", "1 7\n")), std::nullopt);
  EXPECT_EQ(number_of(dir.path() / "none"), std::nullopt);
}

TEST(KernelText, FindsTheNumberOfAKey) {
  EXPECT_EQ(number_after("nr_periods 7\nnr_throttled 5\n", "nr_throttled"), 5U);
  EXPECT_EQ(number_after("VmSwap:\t   12 kB\n", "VmSwap:"), 12U);
  EXPECT_EQ(number_after("some avg10=0.00 total=24350052", "total"), 24350052U);
  EXPECT_EQ(number_after("throttled_usec 3\nthrottled 4", "throttled"), 4U) << "the whole word";
  EXPECT_EQ(number_after("nr_throttled\n", "nr_throttled"), std::nullopt);
  EXPECT_EQ(number_after("nr_throttled many\n", "nr_throttled"), std::nullopt);
}

TEST(KernelText, FindsALineByItsFirstWord) {
  constexpr const char* kText = "some total=1\nfull total=2";
  EXPECT_EQ(line_after(kText, "some"), " total=1");
  EXPECT_EQ(line_after(kText, "full"), " total=2");
  EXPECT_EQ(line_after(kText, "so"), std::nullopt);
  EXPECT_EQ(line_after("", "some"), std::nullopt);
}

}  // namespace
}  // namespace enprof
