#include "base/first_line.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(FirstLine, HasNoSpaceAroundIt) {
  EXPECT_EQ(trimmed(" \tmodel name\r\n"), "model name");
  EXPECT_EQ(trimmed("x"), "x");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(FirstLine, IsThatOfTheFile) {
  const testing::TempDir dir;
  EXPECT_EQ(first_line_of(dir.write("name", "package-0 \r\nmore\n")), "package-0");
  EXPECT_EQ(first_line_of(dir.write("bare", "amdgpu")), "amdgpu");
  EXPECT_EQ(first_line_of(dir.write("empty", "")), "");
  EXPECT_EQ(first_line_of(dir.path() / "none"), "");
}

}  // namespace
}  // namespace enprof
