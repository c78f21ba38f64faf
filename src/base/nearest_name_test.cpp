#include "base/nearest_name.hpp"

#include <gtest/gtest.h>

#include <array>

namespace enprof {
namespace {

constexpr std::array<std::string_view, 4> kKnown{"max_tokens", "top_k", "top_p", "tags"};

TEST(NearestName, IsTheOneThatTheFewestStepsLeadTo) {
  EXPECT_EQ(nearest_name("max_token", kKnown), "max_tokens");
  EXPECT_EQ(nearest_name("maxtokens", kKnown), "max_tokens");
  EXPECT_EQ(nearest_name("tag", kKnown), "tags");
  EXPECT_EQ(nearest_name("topp", kKnown), "top_p");
}

TEST(NearestName, SwappedLettersAreOneStepAndCaseIsNone) {
  constexpr std::array<std::string_view, 3> kCommands{"runs", "run", "rm"};
  EXPECT_EQ(nearest_name("rnu", kCommands), "run");
  EXPECT_EQ(nearest_name("RUN", kCommands), "run");
  constexpr std::array<std::string_view, 1> kLast{"last"};
  EXPECT_EQ(nearest_name("lsat", kLast), "last");
  EXPECT_EQ(nearest_name("alst", kLast), "last");
}

TEST(NearestName, IsNoneWhereNothingIsNear) {
  EXPECT_FALSE(nearest_name("batch_size", kKnown));
  EXPECT_FALSE(nearest_name("", kKnown));
  EXPECT_FALSE(nearest_name("x", {}));
}

}  // namespace
}  // namespace enprof
