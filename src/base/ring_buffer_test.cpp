#include "base/ring_buffer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace enprof {
namespace {

TEST(RingBuffer, IsFirstInFirstOut) {
  RingBuffer<int> ring(4);
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  int value = 0;
  EXPECT_TRUE(ring.pop(value));
  EXPECT_EQ(value, 1);
  EXPECT_TRUE(ring.pop(value));
  EXPECT_EQ(value, 2);
  EXPECT_FALSE(ring.pop(value));
}

TEST(RingBuffer, DropsAndCountsWhatDoesNotFit) {
  RingBuffer<int> ring(3);  // rounded up to 4
  EXPECT_EQ(ring.capacity(), 4U);
  for (int value = 0; value < 6; ++value) {
    ring.push(value);
  }
  EXPECT_EQ(ring.dropped(), 2U);
  int value = 0;
  ASSERT_TRUE(ring.pop(value));
  EXPECT_EQ(value, 0);  // the oldest are kept
  EXPECT_TRUE(ring.push(6));
}

TEST(RingBuffer, LiesInMemoryThatTwoProcessesShare) {
  alignas(RingBuffer<int>::kAlignment) std::array<std::byte, RingBuffer<int>::bytes_for(4)>
      memory{};
  RingBuffer<int> writer(memory, 4);
  RingBuffer<int> reader(memory, 4);
  for (int value = 0; value < 5; ++value) {
    writer.push(value);
  }
  EXPECT_EQ(reader.dropped(), 1U);
  int value = -1;
  for (int expected = 0; expected < 4; ++expected) {
    ASSERT_TRUE(reader.pop(value));
    EXPECT_EQ(value, expected);
  }
  EXPECT_FALSE(reader.pop(value));
  EXPECT_TRUE(writer.push(5));
}

TEST(RingBuffer, NonsenseInSharedMemoryIsReadWithinIt) {
  alignas(RingBuffer<int>::kAlignment) std::array<std::byte, RingBuffer<int>::bytes_for(4)> memory;
  memory.fill(std::byte{0xAB});
  RingBuffer<int> reader(memory, 4);
  int value = 0;
  for (std::size_t left = 2 * reader.capacity(); left > 0; --left) {
    static_cast<void>(reader.pop(value));  // AddressSanitizer sees an access beyond the memory
  }
  static_cast<void>(reader.push(1));
}

TEST(RingBuffer, TwoThreadsLoseNothingButWhatWasDropped) {
  constexpr std::uint64_t kCount = 200'000;
  RingBuffer<std::uint64_t> ring(1024);
  std::uint64_t pushed = 0;
  std::thread producer([&] {
    for (std::uint64_t value = 1; value <= kCount; ++value) {
      pushed += ring.push(value) ? value : 0;
    }
    while (!ring.push(0)) {  // the end mark must arrive
    }
  });
  std::uint64_t popped = 0;
  std::uint64_t last = 0;
  for (;;) {
    std::uint64_t value = 0;
    if (!ring.pop(value)) {
      continue;
    }
    if (value == 0) {
      break;
    }
    ASSERT_GT(value, last);
    last = value;
    popped += value;
  }
  producer.join();
  EXPECT_EQ(popped, pushed);
}

}  // namespace
}  // namespace enprof
