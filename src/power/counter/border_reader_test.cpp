#include "power/counter/border_reader.hpp"

#include "support/computing_thread.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::compute;
using testing::SteppingCounter;
using testing::SteppingPoint;
using testing::taken_from;
using Mode = BorderReader::Plan::Mode;

constexpr Nanoseconds kPeriod{976'562};
constexpr Nanoseconds kGap = 25us;
constexpr Nanoseconds kError = 4us;
constexpr Nanoseconds kMargin = 12us;
constexpr Nanoseconds kCollect = 100ms;

class BorderReaderTest : public ::testing::Test {
 protected:
  BorderReaderTest() { EXPECT_TRUE(reader_.claim()); }

  void publish(Mode mode, bool is_doubtful = false) {
    counter_.pass(2 * kPeriod);
    const auto value = counter_.read();
    reader_.publish({.mode = mode,
                     .step = counter_.stepped_at(*value),
                     .period = kPeriod,
                     .error = kError,
                     .is_doubtful = is_doubtful});
  }
  std::vector<BorderReading> readings_of(Nanoseconds duration, Nanoseconds gap = kGap) {
    std::vector<BorderReading> readings;
    for (Nanoseconds done{0}; done < duration; done += kCollect) {  // the ring has limited room
      compute(counter_, reader_, std::min(kCollect, duration - done), gap);
      std::ranges::copy(taken_from(reader_), std::back_inserter(readings));
    }
    return readings;
  }
  /// The share of a CPU that reading takes.
  static double share_of(const std::vector<BorderReading>& readings, Nanoseconds duration) {
    Nanoseconds sum{0};
    for (const BorderReading& reading : readings) {
      sum += reading.after - reading.before;
    }
    return seconds(sum) / seconds(duration);
  }
  static std::size_t values_in(const std::vector<BorderReading>& readings) {
    std::size_t values = 0;
    for (std::size_t index = 0; index < readings.size(); ++index) {
      values += index == 0 || readings[index].values[0] != readings[index - 1].values[0] ? 1 : 0;
    }
    return values;
  }

  SteppingCounter counter_{kPeriod};
  std::shared_ptr<SteppingPoint> point_ = std::make_shared<SteppingPoint>(counter_);
  BorderReader reader_{{point_, point_, nullptr}, counter_.clock()};
};

TEST_F(BorderReaderTest, ReadsAfterEachSecondStepAwayFromSteps) {
  reader_.set_pace({.interval = 2 * kPeriod, .cpu_share = 0.05});
  publish(Mode::steps);
  const auto readings = readings_of(1s);
  EXPECT_NEAR(static_cast<double>(values_in(readings)), 512 + 64, 30) << "one in eight is watched";
  EXPECT_LT(readings.size(), 1100U);
  for (std::size_t index = 1; index < readings.size(); ++index) {
    const BorderReading& reading = readings[index];
    if (reading.before - readings[index - 1].before > 10 * kGap) {
      const Nanoseconds since = reading.before - counter_.stepped_at(reading.values[0]);
      EXPECT_TRUE(since >= kMargin - 1us || since <= kPeriod) << since.count();
    }
  }
}

TEST_F(BorderReaderTest, WatchesEachStepInDoubt) {
  reader_.set_pace({.interval = 2 * kPeriod, .cpu_share = 0.05});
  publish(Mode::steps, true);
  const auto readings = readings_of(1s);
  int seen = 0;
  for (std::size_t index = 1; index < readings.size(); ++index) {
    const BorderReading& before = readings[index - 1];
    const BorderReading& after = readings[index];
    if (after.after - before.before < 100us && after.values[0] != before.values[0]) {
      ++seen;
      EXPECT_GE(counter_.stepped_at(after.values[0]), before.before);
      EXPECT_LE(counter_.stepped_at(after.values[0]), after.after);
    }
  }
  EXPECT_GT(seen, 380) << "of 512: not where the border before lay too early or too late";
}

TEST_F(BorderReaderTest, SaysWhenTheNextCallIsOfUse) {
  publish(Mode::steps);
  const Instant now = counter_.clock().now();
  const Instant due = reader_.at_border(now);
  EXPECT_GT(due, now);
  EXPECT_EQ(reader_.at_border(due - 1ns), due);
  EXPECT_LT(due - now, 5 * kPeriod);
}

TEST_F(BorderReaderTest, SearchesAtEachBorderAndThenPausesLongerAndLonger) {
  publish(Mode::search);
  EXPECT_NEAR(static_cast<double>(readings_of(4 * kPeriod).size()), 4.0 * kPeriod / kGap, 12);
  EXPECT_LT(readings_of(18ms).size(), 10U);
  const auto readings = readings_of(5s);
  EXPECT_LT(readings.size(), 30U * 5 * static_cast<unsigned>(kPeriod / kGap));
  EXPECT_GT(readings.size(), 10U * 3 * static_cast<unsigned>(kPeriod / kGap));
}

TEST_F(BorderReaderTest, ReadsNothingWhereItIsOff) {
  EXPECT_TRUE(readings_of(100ms).empty()) << "nothing was published";
  publish(Mode::steps);
  EXPECT_FALSE(readings_of(100ms).empty());
  reader_.publish({});
  EXPECT_LE(readings_of(100ms).size(), 1U);
}

TEST_F(BorderReaderTest, ReadsAsOftenAsAsked) {
  reader_.set_pace({.interval = 10ms, .cpu_share = 0.05});
  publish(Mode::steps);
  const auto readings = readings_of(1s);
  EXPECT_NEAR(static_cast<double>(values_in(readings)), 102 + 13, 10) << "each tenth step";
}

TEST_F(BorderReaderTest, KeepsItsShareOfACpu) {
  for (const Nanoseconds cost : {1'000ns, 2'000ns, 4'000ns}) {
    counter_.set_read_time(cost);
    publish(Mode::steps);
    static_cast<void>(readings_of(300ms));
    const auto readings = readings_of(1s);
    EXPECT_LT(share_of(readings, 1s), 1.5 * BorderReader::kCpuShare) << cost.count();
    EXPECT_GT(values_in(readings), 60U) << cost.count();
    EXPECT_EQ(reader_.too_slow(), std::nullopt);
  }
}

TEST_F(BorderReaderTest, PausesWhereAReadTakesTooLongAndSaysSo) {
  counter_.set_read_time(60us);
  publish(Mode::steps);
  std::size_t reads = 0;
  for (int part = 0; part < 100 && !reader_.too_slow(); ++part) {
    reads += readings_of(100ms).size();
  }
  ASSERT_TRUE(reader_.too_slow());
  EXPECT_LT(reads, 300U);
  EXPECT_NEAR(to_ms(*reader_.too_slow()) * 1e3, 54, 8) << "it follows from below";
  EXPECT_TRUE(readings_of(900ms).empty());
  counter_.set_read_time(1us);
  EXPECT_GT(values_in(readings_of(2s)), 400U) << "it is tried again";
  EXPECT_EQ(reader_.too_slow(), std::nullopt);
}

TEST_F(BorderReaderTest, AnInterruptionIsNoSlowRead) {
  publish(Mode::steps);
  static_cast<void>(readings_of(300ms));
  for (int interruption = 0; interruption < 20; ++interruption) {
    counter_.set_read_time(5ms);
    compute(counter_, reader_, 3ms, kGap);
    counter_.set_read_time(1us);
    compute(counter_, reader_, 100ms, kGap);
  }
  EXPECT_EQ(reader_.too_slow(), std::nullopt);
  static_cast<void>(taken_from(reader_));
  EXPECT_GT(values_in(readings_of(1s)), 250U);
}

TEST_F(BorderReaderTest, AfterAReadThatHungNothingIsReadUntilItsOwnerAllowsIt) {
  publish(Mode::steps);
  static_cast<void>(readings_of(100ms));
  EXPECT_EQ(reader_.hang(), std::nullopt);
  counter_.set_read_time(kHangingRead);
  EXPECT_EQ(readings_of(200ms).size(), 1U);
  ASSERT_TRUE(reader_.hang());
  EXPECT_GE(*reader_.hang(), kHangingRead);
  counter_.set_read_time(1us);
  EXPECT_TRUE(readings_of(5s).empty());
  reader_.release();
  ASSERT_TRUE(reader_.claim());
  EXPECT_TRUE(readings_of(1s).empty()) << "another run does not allow it";
  reader_.forget_hang();
  EXPECT_GT(values_in(readings_of(1s)), 200U);
}

TEST_F(BorderReaderTest, WhileItsOwnerIsInALongReadNothingIsRead) {
  publish(Mode::steps);
  reader_.begin_own_read(counter_.clock().now());
  EXPECT_FALSE(readings_of(kHangingRead).empty());
  EXPECT_TRUE(readings_of(1s).empty());
  reader_.end_own_read();
  EXPECT_FALSE(readings_of(100ms).empty());
}

TEST_F(BorderReaderTest, ACounterThatCannotBeReadIsNotTriedAtEachBorder) {
  publish(Mode::steps);
  counter_.fail(true);
  const auto readings = readings_of(1s);
  EXPECT_LT(readings.size(), 110U);
  EXPECT_GT(readings.size(), 80U);
  EXPECT_FALSE(readings.back().has(0));
  counter_.fail(false);
  EXPECT_GT(values_in(readings_of(1s)), 250U);
}

TEST_F(BorderReaderTest, ReadsTheOthersAtOneEdgeInFour) {
  reader_.set_pace({.interval = 2 * kPeriod, .cpu_share = 0.05});
  publish(Mode::steps);
  const auto readings = readings_of(1s);
  const auto all =
      std::ranges::count_if(readings, [](const BorderReading& each) { return each.has(1); });
  EXPECT_NEAR(static_cast<double>(all), 128, 10);
  EXPECT_TRUE(std::ranges::none_of(readings, [](const auto& each) { return each.has(2); }))
      << "it has no point";
}

TEST_F(BorderReaderTest, AFullRingDropsReadings) {
  publish(Mode::steps);
  compute(counter_, reader_, 5s, kGap);
  EXPECT_GT(reader_.dropped(), 500U);
  EXPECT_EQ(taken_from(reader_).size(), 1024U);
}

TEST_F(BorderReaderTest, BordersFarApartAreReadToo) {
  publish(Mode::steps);
  EXPECT_GT(values_in(readings_of(1s, 700us)), 200U);
  EXPECT_GT(values_in(readings_of(1s, 5ms)), 150U);
}

TEST_F(BorderReaderTest, BelongsToOneThreadAtATime) {
  EXPECT_FALSE(reader_.claim());
  reader_.release();
  EXPECT_TRUE(reader_.claim());
}

}  // namespace
}  // namespace enprof
