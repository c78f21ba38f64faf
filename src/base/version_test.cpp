#include "enprof/base/version.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(Version, IsThatOfItsHeader) {
  EXPECT_EQ(
      fmt::format("{}.{}.{}", ENPROF_VERSION_MAJOR, ENPROF_VERSION_MINOR, ENPROF_VERSION_PATCH),
      library_version());
}

}  // namespace
}  // namespace enprof
