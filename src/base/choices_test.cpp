#include "base/choices.hpp"

#include <gtest/gtest.h>

#include <array>

namespace enprof {
namespace {

TEST(SayChoices, NamesAllAndTheOneThatWasMeant) {
  constexpr std::array<std::string_view, 2> kKnown{"asc", "desc"};
  EXPECT_EQ(say_choices("decs", kKnown), "Did you mean 'desc'? Choose one of: asc, desc");
  EXPECT_EQ(say_choices("sideways", kKnown), "Choose one of: asc, desc");
  EXPECT_EQ(say_choices("", kKnown), "Choose one of: asc, desc");
}

}  // namespace
}  // namespace enprof
