#include "base/counted.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace enprof {
namespace {

TEST(Counted, OneHasNoPlural) {
  EXPECT_EQ(counted(0, "span"), "0 spans");
  EXPECT_EQ(counted(1, "span"), "1 span");
  EXPECT_EQ(counted(std::size_t{2}, "sensor reading"), "2 sensor readings");
}

}  // namespace
}  // namespace enprof
