#include "power/counter/border_placer.hpp"

#include "support/computing_thread.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::compute;
using testing::SteppingCounter;
using testing::SteppingPoint;

constexpr Nanoseconds kPeriod{976'562};
constexpr Nanoseconds kGap = 25us;
constexpr Nanoseconds kCollect = 100ms;

class BorderPlacerTest : public ::testing::Test {
 protected:
  struct Placed {
    Nanoseconds off;  // from the true step
    Nanoseconds error;
  };

  BorderPlacerTest() { EXPECT_TRUE(reader_.claim()); }

  void learn() {
    ASSERT_TRUE(lock_.learn(counter_));
    // As the source does before a run: one reading each 100 ms.
    for (int reading = 0; reading < 20; ++reading) {
      counter_.pass(100ms);
      static_cast<void>(lock_.read(counter_));
    }
  }
  std::vector<Placed> collect() {
    std::vector<Placed> placed;
    placer_.place(
        reader_, lock_, since_, [&](const BorderReading& reading, const BorderPlacer::Step& step) {
          placed.push_back(
              {.off = step.at - counter_.stepped_at(reading.values[0]), .error = step.error});
        });
    publish();
    return placed;
  }
  void publish() { placer_.publish(reader_, lock_, counter_.clock().now(), kCollect + 50ms); }
  std::vector<Placed> run(Nanoseconds duration, Nanoseconds gap = kGap) {
    std::vector<Placed> placed;
    publish();
    for (Nanoseconds done{0}; done < duration; done += kCollect) {
      compute(counter_, reader_, kCollect, gap);
      std::ranges::copy(collect(), std::back_inserter(placed));
    }
    return placed;
  }
  static double rms_us(const std::vector<Placed>& placed) {
    double squares = 0;
    for (const Placed& each : placed) {
      squares += std::pow(to_ms(each.off) * 1e3, 2);
    }
    return std::sqrt(squares / static_cast<double>(placed.size()));
  }
  static double claimed_us(const std::vector<Placed>& placed) {
    double squares = 0;
    for (const Placed& each : placed) {
      squares += std::pow(to_ms(each.error) * 1e3, 2);
    }
    return std::sqrt(squares / static_cast<double>(placed.size()));
  }
  static auto wrong_steps(const std::vector<Placed>& placed) {
    return std::ranges::count_if(
        placed, [](const Placed& each) { return std::chrono::abs(each.off) > kPeriod / 2; });
  }

  SteppingCounter counter_{kPeriod};
  StepLock lock_{{.period = kPeriod}, counter_.clock(), counter_.sleeper()};
  BorderReader reader_{{std::make_shared<SteppingPoint>(counter_)}, counter_.clock()};
  BorderPlacer placer_;
  Instant since_;
};

TEST_F(BorderPlacerTest, PlacesReadingsOnTheStepsBeforeThem) {
  learn();
  const auto placed = run(10s);
  EXPECT_GT(placed.size(), 3000U);
  EXPECT_LT(rms_us(placed), 10);
  EXPECT_EQ(wrong_steps(placed), 0);
  EXPECT_EQ(placer_.counts().misses, 0U);
  EXPECT_LT(placer_.counts().unclear, placed.size() / 3);
  EXPECT_GT(placer_.counts().brackets, 300U);
}

TEST_F(BorderPlacerTest, ItsErrorsAreHonestWhereStepsJitter) {
  counter_.jitter(10us);  // uniform: 5.8 µs
  learn();
  const auto placed = run(10s);
  EXPECT_GT(placed.size(), 3000U);
  EXPECT_EQ(wrong_steps(placed), 0);
  EXPECT_LT(rms_us(placed), 12);
  EXPECT_LT(rms_us(placed), 1.3 * claimed_us(placed));
  EXPECT_GT(rms_us(placed), 0.3 * claimed_us(placed));
}

TEST_F(BorderPlacerTest, FollowsADriftingPeriodWithoutReadingsOfTheSource) {
  learn();
  for (int part = 0; part < 20; ++part) {
    counter_.set_period(kPeriod + part * 10ns);
    const auto placed = run(1s);
    EXPECT_GT(placed.size(), 300U) << part;
    EXPECT_EQ(wrong_steps(placed), 0) << part;
    EXPECT_LT(rms_us(placed), 25) << part;
  }
}

TEST_F(BorderPlacerTest, BordersFarApartKeepTheGridToo) {
  learn();
  for (const Nanoseconds gap : {200us, 650us}) {
    const auto placed = run(5s, gap);
    EXPECT_GT(placed.size(), 1500U) << gap.count();
    EXPECT_EQ(wrong_steps(placed), 0);
    EXPECT_LT(rms_us(placed), 40) << gap.count();
    EXPECT_LT(rms_us(placed), 1.3 * claimed_us(placed));
  }
}

/// Where only those steps count that were seen to come between two borders, those that came before
/// the first of them do not, and predictions come later and later.
TEST_F(BorderPlacerTest, BordersThatWereChosenByThePredictionDoNotMoveIt) {
  learn();
  static_cast<void>(run(2s, 650us));
  for (int part = 0; part < 5; ++part) {
    double sum = 0;
    const auto placed = run(2s, 650us);
    for (const Placed& each : placed) {
      sum += to_ms(each.off) * 1e3;
    }
    EXPECT_LT(std::abs(sum / static_cast<double>(placed.size())), 20) << part;
  }
}

TEST_F(BorderPlacerTest, FindsTheStepsAgainByReadingsAtBordersAlone) {
  learn();
  lock_.forget_phase();
  const auto placed = run(3s);
  EXPECT_TRUE(lock_.is_locked());
  EXPECT_GT(placed.size(), 500U);
  EXPECT_EQ(wrong_steps(placed), 0);
  EXPECT_LT(rms_us(run(3s)), 8);
}

TEST_F(BorderPlacerTest, ACounterThatStandsStillLosesThePhaseUntilItGoesOn) {
  learn();
  static_cast<void>(run(1s));
  counter_.stall(true);
  static_cast<void>(run(3s));
  EXPECT_GT(placer_.counts().misses, 2U);
  EXPECT_FALSE(lock_.is_locked());
  counter_.stall(false);
  static_cast<void>(run(4s));
  EXPECT_TRUE(lock_.is_locked());
  const auto placed = run(2s);
  EXPECT_GT(placed.size(), 500U);
  EXPECT_EQ(wrong_steps(placed), 0);
}

TEST_F(BorderPlacerTest, LeavesOutWhatIsTooCloseToAStepToTell) {
  learn();
  const Instant step = lock_.grid().next(counter_.clock().now() + 10 * kPeriod).at;
  const Nanoseconds error = lock_.grid().last(step + kPeriod / 2).error;
  reader_.publish({.mode = BorderReader::Plan::Mode::search, .period = kPeriod});
  counter_.pass(step - counter_.clock().now() - 2us);
  static_cast<void>(reader_.at_border(counter_.clock().now()));
  EXPECT_TRUE(collect().empty()) << "the step may come 2 µs later, or have come";
  EXPECT_GT(error, 1us);
  EXPECT_EQ(placer_.counts().unclear, 1U);
}

TEST_F(BorderPlacerTest, LeavesOutWhatTookAsLongAsAStep) {
  learn();
  const Instant step = lock_.grid().next(counter_.clock().now() + 10 * kPeriod).at;
  reader_.publish({.mode = BorderReader::Plan::Mode::search, .period = kPeriod});
  counter_.pass(step - counter_.clock().now() + 300us);
  counter_.set_read_time(800us);
  static_cast<void>(reader_.at_border(counter_.clock().now()));
  EXPECT_TRUE(collect().empty()) << "the value may be of either step";
}

TEST_F(BorderPlacerTest, LeavesOutWhatIsOlderThanTheSourcesOwn) {
  learn();
  publish();
  compute(counter_, reader_, kCollect, kGap);
  since_ = counter_.clock().now();
  EXPECT_TRUE(collect().empty());
  compute(counter_, reader_, kCollect, kGap);
  EXPECT_FALSE(collect().empty());
}

TEST_F(BorderPlacerTest, DiscardsWhatIsThere) {
  learn();
  publish();
  compute(counter_, reader_, kCollect, kGap);
  placer_.discard(reader_);
  EXPECT_TRUE(collect().empty());
}

TEST_F(BorderPlacerTest, CountsReadingsThatFailed) {
  learn();
  publish();
  counter_.fail(true);
  compute(counter_, reader_, kCollect, kGap);
  EXPECT_TRUE(collect().empty());
  EXPECT_GT(placer_.counts().failed, 5U);
}

TEST_F(BorderPlacerTest, DoesNotPublishStepsThatItCannotPredict) {
  publish();  // nothing is known yet
  compute(counter_, reader_, 2 * kPeriod, kGap);
  EXPECT_GT(testing::taken_from(reader_).size(), 50U) << "it searches";
}

}  // namespace
}  // namespace enprof
