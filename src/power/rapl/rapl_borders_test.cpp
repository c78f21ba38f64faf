// A locked RAPL source whose counters a thread reads while it computes.
#include "power/rapl/rapl_source.hpp"
#include "support/counter_machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::CounterMachine;

constexpr Nanoseconds kGap = 25us;
constexpr Nanoseconds kCollect = 100ms;
constexpr std::uint64_t kRange = 262'143'328'850;

class RaplBordersTest : public ::testing::Test {
 protected:
  void add(const std::string& domain, const std::string& zone, double watts,
           Nanoseconds phase = 0ns, std::uint64_t range_uj = kRange) {
    machine_.add(domain, zone, domain == "dram-0" ? "dram" : domain, 1'000'000, range_uj, phase);
    machine_.draw(domain, watts);
  }
  void open(const PerfEvents* events = nullptr) {
    auto opened = RaplSource::open({.sysfs_root = machine_.sysfs_root(),
                                    .procfs_root = machine_.procfs_root(),
                                    .clock = &machine_.clock(),
                                    .boot_clock = &machine_.boot_clock(),
                                    .sleeper = &machine_.sleeper(),
                                    .perf_events = events});
    ASSERT_TRUE(opened) << opened.error().message;
    source_ = std::move(*opened);
    ASSERT_TRUE(source_->start());
    readers_ = source_->border_readers();
    for (const auto& reader : readers_) {
      ASSERT_TRUE(reader->claim());
    }
    for (int poll = 0; poll < 20; ++poll) {  // as while idle power is measured
      machine_.pass(50ms);
      static_cast<void>(source_->poll(idle_));
    }
  }
  void compute(Nanoseconds duration) {
    const Instant end = machine_.clock().now() + duration;
    for (Instant now = machine_.clock().now(); now < end; now = machine_.clock().now()) {
      for (const auto& reader : readers_) {
        static_cast<void>(reader->at_border(now));
      }
      machine_.pass(kGap);
    }
  }
  Poll collect() {
    Poll poll;
    collected_ = source_->collect(poll, windows_);
    note(poll);
    return poll;
  }
  Poll poll() {
    const Poll poll = source_->poll(windows_);
    note(poll);
    return poll;
  }
  void note(const Poll& poll) {
    for (const Incident& incident : poll.incidents) {
      codes_.insert(incident.code);
    }
  }
  void run(int collections) {
    for (int collection = 0; collection < collections; ++collection) {
      compute(kCollect);
      static_cast<void>(collect());
    }
  }
  std::vector<EnergyWindow> windows_of(std::size_t domain) {
    std::vector<EnergyWindow> windows;
    std::ranges::copy_if(windows_, std::back_inserter(windows),
                         [&](const EnergyWindow& each) { return each.domain == domain; });
    return windows;
  }
  /// Root mean square of how wrong the windows' times were, in µs, as their energy tells.
  double error_us(std::size_t domain, double watts) {
    double squares = 0;
    const auto windows = windows_of(domain);
    for (const EnergyWindow& window : windows) {
      const Joules truth = machine_.used(source_->domains()[domain].name, window.begin, window.end);
      squares += std::pow((window.energy - truth).value() / watts * 1e6, 2);
    }
    return std::sqrt(squares / static_cast<double>(windows.size()));
  }
  /// That no window of a domain overlaps another, and that there is no gap between them.
  void expect_whole(std::size_t domain) {
    const auto windows = windows_of(domain);
    ASSERT_FALSE(windows.empty());
    for (std::size_t index = 0; index < windows.size(); ++index) {
      EXPECT_LT(windows[index].begin, windows[index].end);
      if (index > 0) {
        EXPECT_EQ(windows[index].begin, windows[index - 1].end);
      }
    }
  }

  CounterMachine machine_;
  std::unique_ptr<RaplSource> source_;
  std::vector<std::shared_ptr<BorderReader>> readers_;
  std::vector<EnergyWindow> idle_;
  std::vector<EnergyWindow> windows_;
  std::size_t collected_ = 0;
  std::set<std::string> codes_;
};

TEST_F(RaplBordersTest, ReadingsBecomeWindowsFromStepToStep) {
  add("package-0", "intel-rapl:0", 60);
  open();
  run(20);
  const auto windows = windows_of(0);
  EXPECT_GT(windows.size(), 600U) << "in two seconds";
  EXPECT_LT(error_us(0, 60), 10);
  expect_whole(0);
  EXPECT_GT(collected_, 25U);
  EXPECT_THAT(codes_, ::testing::IsEmpty());
  for (const EnergyWindow& window : windows) {
    EXPECT_GT(window.stamp_error_ns, 0U);
    EXPECT_LT(window.stamp_error_ns, 60'000U);
  }
}

TEST_F(RaplBordersTest, JoinTheSourcesOwnInTheOrderOfTime) {
  add("package-0", "intel-rapl:0", 60);
  open();
  const Instant begin = idle_.back().end;
  for (int round = 0; round < 10; ++round) {
    compute(30ms);
    EXPECT_EQ(poll().outcome, PollOutcome::ok);
    compute(40ms);
    static_cast<void>(collect());
  }
  expect_whole(0);
  EXPECT_EQ(windows_.front().begin, begin);
  Joules sum;
  for (const EnergyWindow& window : windows_) {
    sum += window.energy;
  }
  EXPECT_NEAR(sum.value(), machine_.used("package-0", begin, windows_.back().end).value(), 0.002);
  EXPECT_LT(error_us(0, 60), 10);
}

TEST_F(RaplBordersTest, MemoryAndASecondPackageAreReadToo) {
  add("package-0", "intel-rapl:0", 60);
  add("dram-0", "intel-rapl:0:0", 8, 40us);
  add("package-1", "intel-rapl:1", 45, 400us);
  open();
  ASSERT_EQ(readers_.size(), 2U);
  run(20);
  for (std::size_t domain = 0; domain < 3; ++domain) {
    const std::string& name = source_->domains()[domain].name;
    SCOPED_TRACE(name);
    const double watts = name == "dram-0" ? 8 : name == "package-0" ? 60 : 45;
    EXPECT_GT(windows_of(domain).size(), name == "dram-0" ? 120U : 500U);
    EXPECT_LT(error_us(domain, watts), 25);
    expect_whole(domain);
  }
  EXPECT_THAT(codes_, ::testing::IsEmpty());
}

TEST_F(RaplBordersTest, AWrapLosesNothing) {
  machine_.add("package-0", "intel-rapl:0", "package-0", kRange - 120'000'000, kRange, 0ns);
  machine_.draw("package-0", 60);  // it wraps after two seconds
  open();
  run(30);
  expect_whole(0);
  EXPECT_LT(error_us(0, 60), 10);
  EXPECT_GE(source_->counter(0).count_of(EnergyCounter::Outcome::wrap), 1U);
  EXPECT_THAT(codes_, ::testing::IsEmpty());
}

TEST_F(RaplBordersTest, ASleepIsAGap) {
  add("package-0", "intel-rapl:0", 60);
  open();
  run(3);
  compute(50ms);
  machine_.sleep(10s);
  machine_.push("package-0", 3.0);  // what was used meanwhile
  compute(50ms);
  static_cast<void>(collect());
  run(5);
  EXPECT_LT(error_us(0, 60), 10) << "no window holds that energy";
  EXPECT_THAT(codes_, ::testing::ElementsAre("counter_reset"));
}

TEST_F(RaplBordersTest, AFileThatGoesAndComesBackIsReadAgain) {
  add("package-0", "intel-rapl:0", 60);
  open();
  run(3);
  machine_.fail("package-0", true);
  compute(kCollect);
  static_cast<void>(collect());
  EXPECT_EQ(collected_, 0U) << "the source is to look itself";
  EXPECT_EQ(poll().outcome, PollOutcome::retry);
  machine_.fail("package-0", false);
  machine_.remove("package-0");
  compute(kCollect);
  static_cast<void>(collect());
  machine_.bring_back("package-0", 5'000'000);
  for (int round = 0; round < 5; ++round) {
    compute(kCollect);
    static_cast<void>(poll());
  }
  windows_.clear();
  run(10);
  EXPECT_GT(windows_of(0).size(), 300U);
  EXPECT_LT(error_us(0, 60), 10);
}

TEST_F(RaplBordersTest, NothingIsReadOnceTheSourceWasStopped) {
  add("package-0", "intel-rapl:0", 60);
  open();
  run(3);
  source_->stop();
  compute(50ms);
  BorderReading reading;
  EXPECT_FALSE(readers_.front()->take(reading));
}

TEST_F(RaplBordersTest, NothingIsReadOnceTheSourceIsLost) {
  add("package-0", "intel-rapl:0", 60);
  open();
  run(3);
  machine_.remove_tree();
  PollOutcome outcome = PollOutcome::ok;
  for (int round = 0; round < 30 && outcome != PollOutcome::gone; ++round) {
    compute(50ms);
    outcome = poll().outcome;
  }
  ASSERT_EQ(outcome, PollOutcome::gone);
  compute(50ms);
  BorderReading reading;
  EXPECT_FALSE(readers_.front()->take(reading));
}

TEST_F(RaplBordersTest, WithoutALockThereIsNoReader) {
  add("package-0", "intel-rapl:0", 60);
  auto opened = RaplSource::open({.sysfs_root = machine_.sysfs_root(),
                                  .procfs_root = machine_.procfs_root(),
                                  .clock = &machine_.clock(),
                                  .lock_to_steps = false,
                                  .boot_clock = &machine_.boot_clock(),
                                  .sleeper = &machine_.sleeper()});
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE((*opened)->border_readers().empty());
  Poll poll;
  EXPECT_EQ((*opened)->collect(poll, windows_), 0U);
}

/// Events that take long to read.
class SlowEvents final : public PerfEvents {
 public:
  explicit SlowEvents(CounterMachine& machine) : machine_(&machine) {}

  Nanoseconds of_points = 0ns;          ///< what a read on the thread that computes takes
  std::function<void()> on_own_read{};  ///< called while the source reads
  mutable std::size_t reads_of_points = 0;

  [[nodiscard]] Result<std::unique_ptr<CounterInput>> open(const PerfEvent& event) const override {
    auto opened = machine_->perf_events().open(event);
    if (!opened) {
      return std::unexpected(opened.error());
    }
    return std::make_unique<Input>(*this, std::move(*opened));
  }

 private:
  class Input final : public CounterInput {
   public:
    Input(const SlowEvents& events, std::unique_ptr<CounterInput> input)
        : events_(&events), input_(std::move(input)) {}
    [[nodiscard]] Result<std::uint64_t> read() override {
      if (events_->on_own_read) {
        events_->on_own_read();
      }
      return input_->read();
    }
    [[nodiscard]] std::shared_ptr<const CounterPoint> point() override {
      return std::make_shared<Point>(*events_, input_);
    }

   private:
    class Point final : public CounterPoint {
     public:
      Point(const SlowEvents& events, std::shared_ptr<CounterInput> input)
          : events_(&events), input_(std::move(input)) {}
      [[nodiscard]] std::optional<std::uint64_t> read() const noexcept override {
        ++events_->reads_of_points;
        events_->machine_->pass(events_->of_points);
        return input_->read().value_or(0);
      }

     private:
      const SlowEvents* events_;
      std::shared_ptr<CounterInput> input_;
    };

    const SlowEvents* events_;
    std::shared_ptr<CounterInput> input_;
  };

  CounterMachine* machine_;
};

class SlowRaplBordersTest : public RaplBordersTest {
 protected:
  SlowRaplBordersTest() {
    add("package-0", "intel-rapl:0", 60);
    machine_.add_perf_files(1);
    machine_.remove_powercap();
  }
  /// The number of reads of the thread that computes in this time.
  std::size_t reads_in(int collections) {
    const std::size_t before = events_.reads_of_points;
    run(collections);
    return events_.reads_of_points - before;
  }

  SlowEvents events_{machine_};
};

TEST_F(SlowRaplBordersTest, ACounterThatIsSlowToReadIsLeftToTheSourceWhichSaysSo) {
  events_.of_points = 70us;
  open(&events_);
  for (int part = 0; part < 100 && codes_.empty(); ++part) {
    run(2);
  }
  EXPECT_THAT(codes_, ::testing::ElementsAre("counter_slow"));
  run(1);  // what is left
  windows_.clear();
  run(1);
  EXPECT_EQ(collected_, 0U);
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
}

TEST_F(SlowRaplBordersTest, AReadThatHangsIsTheLastOfTheThreadThatComputes) {
  open(&events_);
  EXPECT_GT(reads_in(3), 60U);
  EXPECT_THAT(codes_, ::testing::IsEmpty());
  events_.of_points = 300ms;  // from now on the driver hangs
  EXPECT_EQ(reads_in(1), 1U);
  EXPECT_THAT(codes_, ::testing::ElementsAre("counter_slow"));
  EXPECT_EQ(reads_in(10), 0U);
  EXPECT_EQ(collected_, 0U) << "the source is to look itself";
  windows_.clear();
  for (int round = 0; round < 10; ++round) {
    compute(50ms);
    EXPECT_EQ(poll().outcome, PollOutcome::ok);
  }
  EXPECT_EQ(windows_of(0).size(), 10U);

  events_.of_points = 0ns;
  machine_.pass(ReadTrust::kPause);
  for (int round = 0; round < 20; ++round) {
    compute(50ms);
    EXPECT_EQ(poll().outcome, PollOutcome::ok);
  }
  EXPECT_GT(reads_in(3), 60U) << "it was quick to read for long";
}

TEST_F(SlowRaplBordersTest, AReadOfTheSourceThatHungKeepsTheOtherThreadFromReading) {
  open(&events_);
  events_.on_own_read = [this] { machine_.pass(kHangingRead); };
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  events_.on_own_read = {};
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  EXPECT_EQ(reads_in(10), 0U);
}

TEST_F(SlowRaplBordersTest, WhileTheSourceHangsInAReadTheOtherThreadDoesNotFollow) {
  open(&events_);
  bool hangs = true;
  events_.on_own_read = [&] {
    if (std::exchange(hangs, false)) {
      machine_.pass(kHangingRead);
      const std::size_t before = events_.reads_of_points;
      compute(200ms);
      EXPECT_EQ(events_.reads_of_points, before);
    }
  };
  EXPECT_EQ(poll().outcome, PollOutcome::ok);
  EXPECT_FALSE(hangs);
}

TEST_F(SlowRaplBordersTest, NothingIsReadAtBordersBeforeTheSourceHasReadForSomeTime) {
  auto opened = RaplSource::open({.sysfs_root = machine_.sysfs_root(),
                                  .procfs_root = machine_.procfs_root(),
                                  .clock = &machine_.clock(),
                                  .boot_clock = &machine_.boot_clock(),
                                  .sleeper = &machine_.sleeper(),
                                  .perf_events = &events_});
  ASSERT_TRUE(opened) << opened.error().message;
  source_ = std::move(*opened);
  ASSERT_TRUE(source_->start());
  readers_ = source_->border_readers();
  ASSERT_EQ(readers_.size(), 1U);
  ASSERT_TRUE(readers_.front()->claim());
  EXPECT_EQ(reads_in(3), 0U);
  run(5);
  EXPECT_GT(reads_in(3), 20U);
}

}  // namespace
}  // namespace enprof
