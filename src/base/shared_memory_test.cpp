#include "base/shared_memory.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <unistd.h>

namespace enprof {
namespace {

TEST(SharedMemory, IsSeenByWhoeverMapsItsDescriptor) {
  auto made = SharedMemory::make("enprof-test", 5000);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->bytes().size(), 5000U);
  EXPECT_EQ(made->bytes()[4999], std::byte{0});
  auto mapped = SharedMemory::map(dup(made->descriptor()), 5000);
  ASSERT_TRUE(mapped) << mapped.error().message;
  made->bytes()[4999] = std::byte{7};
  EXPECT_EQ(mapped->bytes()[4999], std::byte{7});
}

TEST(SharedMemory, LessThanAnnouncedIsNotMapped) {
  const auto made = SharedMemory::make("enprof-test", 100);
  ASSERT_TRUE(made);
  const auto mapped = SharedMemory::map(dup(made->descriptor()), 200);
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().code, ErrorCode::corrupt);
}

TEST(SharedMemory, CannotBeMadeSmallerByThePeer) {
  const auto made = SharedMemory::make("enprof-test", 8192);
  ASSERT_TRUE(made);
#if defined(__linux__)
  EXPECT_NE(ftruncate(made->descriptor(), 10), 0);
#endif
}

TEST(SharedMemory, MoreThanThereIsIsAnError) {
  const auto made = SharedMemory::make("enprof-test", std::numeric_limits<std::size_t>::max() / 4);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("cannot be"), std::string::npos);
}

}  // namespace
}  // namespace enprof
