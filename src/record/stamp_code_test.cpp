#include "record/stamp_code.hpp"

#include <gtest/gtest.h>

#include <random>

namespace enprof {
namespace {

using namespace std::chrono_literals;

TEST(StampCode, TimesBelowTwoSecondsAreExact) {
  for (const Nanoseconds time : {0ns, 1ns, 20'000ns, 999'999'999ns, 2'147'483'647ns}) {
    EXPECT_EQ(decode_stamp(encode_stamp(time)), time);
  }
}

TEST(StampCode, LongerTimesAreCutToAMicrosecondAndToHalfAnHour) {
  for (const Nanoseconds time : {Nanoseconds{2'147'483'648}, Nanoseconds{4s + 1ns},
                                 Nanoseconds{61s + 1023ns}, Nanoseconds{36min}}) {
    const Nanoseconds decoded = decode_stamp(encode_stamp(time));
    EXPECT_LE(decoded, time);
    EXPECT_LT(time - decoded, 1024ns);
  }
  EXPECT_EQ(decode_stamp(encode_stamp(10h)), Nanoseconds{((std::int64_t{1} << 31) - 1) << 10});
  EXPECT_EQ(encode_stamp(-5ns), 0U);
}

TEST(StampCode, TheRemainderOfAStampIsAddedToTheNext) {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<std::int64_t> length(0, 9'000'000'000);
  StampWriter writer;
  const Instant start{5s};
  writer.begin(start);
  std::vector<Instant> ends;
  std::vector<StampCode> codes;
  Instant now = start;
  for (int operation = 0; operation < 1000; ++operation) {
    now += Nanoseconds{length(random)};
    ends.push_back(now);
    codes.push_back(writer.next(now));
  }
  std::vector<Instant> decoded;
  read_stamps(start, codes, decoded);
  ASSERT_EQ(decoded.size(), ends.size());
  for (std::size_t index = 0; index < ends.size(); ++index) {
    ASSERT_LE(decoded[index], ends[index]);
    ASSERT_LT(ends[index] - decoded[index], 1024ns) << index;
  }
}

TEST(StampCode, AClockThatGoesBackMakesNoNegativeTime) {
  StampWriter writer;
  writer.begin(Instant{10ns});
  EXPECT_EQ(writer.next(Instant{30ns}), 20U);
  EXPECT_EQ(writer.next(Instant{25ns}), 0U);
  EXPECT_EQ(writer.next(Instant{40ns}), 10U);  // since the decoded end, 30 ns
}

}  // namespace
}  // namespace enprof
