#include "base/contains_text.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

namespace enprof {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20U;

TEST(ContainsText, WhereverItBegins) {
  const testing::TempDir dir;
  for (const std::size_t before : {std::size_t{0}, std::size_t{7}, kBlock - 6, kBlock - 3,
                                   kBlock - 1, kBlock, 2 * kBlock - 2, 3 * kBlock + 5}) {
    const auto file = dir.write("file", std::string(before, '\0') + "needle" + "\n");
    EXPECT_TRUE(contains_text(file, "needle")) << before;
    EXPECT_FALSE(contains_text(file, "needles")) << before;
  }
}

TEST(ContainsText, WhatIsNotAReadableFileContainsNothing) {
  const testing::TempDir dir;
  EXPECT_FALSE(contains_text(dir.path() / "missing", "needle"));
  EXPECT_FALSE(contains_text(dir.path(), "needle"));
  EXPECT_FALSE(contains_text("/dev/zero", "needle"));
  EXPECT_FALSE(contains_text(dir.write("empty", ""), "needle"));
}

}  // namespace
}  // namespace enprof
