#include "base/format_bytes.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(FormatBytes, PowersOf1024) {
  EXPECT_EQ(format_bytes(0), "0 bytes");
  EXPECT_EQ(format_bytes(1023), "1023 bytes");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(5ULL << 40U), "5.0 TiB");
}

}  // namespace
}  // namespace enprof
