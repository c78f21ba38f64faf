#include "server/present_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PresentRun, IsRunningFromItsBeginToItsEnd) {
  PresentRun present;
  EXPECT_FALSE(present.state(""));
  EXPECT_THAT(present.ids(), IsEmpty());
  present.begin("ab");
  EXPECT_EQ(present.state("ab"), RunsUnderWay::State::running);
  EXPECT_FALSE(present.state("a")) << "a part of an id is none";
  EXPECT_THAT(present.ids(), ElementsAre("ab"));
  EXPECT_EQ(present.running(), "ab");
  EXPECT_EQ(present.waiting(), 0U);
  present.begin("cd");
  EXPECT_FALSE(present.state("ab"));
  present.end();
  EXPECT_EQ(present.running(), "");
  EXPECT_FALSE(present.state("cd"));
}

}  // namespace
}  // namespace enprof
