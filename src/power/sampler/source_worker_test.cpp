// What reading a source may cost, in real time: the rest of a worker's behaviour is in
// power_sampler_test.cpp and power_sampler_faults_test.cpp.
#include "enprof/power/power_monitor.hpp"

#include "base/thread_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>

namespace enprof {
namespace {

using namespace std::chrono_literals;

/// Each poll takes a millisecond of CPU time.
class CostlySource final : public PowerSource {
 public:
  CostlySource(bool counts_on, std::atomic<int>& polls) : counts_on_(counts_on), polls_(polls) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "costly"; }
  [[nodiscard]] std::string description() const override { return "takes a millisecond"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return 1ms; }
  [[nodiscard]] bool counts_on() const noexcept override { return counts_on_; }
  [[nodiscard]] Result<void> start() override { return {}; }
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& /*windows*/) override {
    const Nanoseconds begin = thread_cpu_time();
    while (thread_cpu_time() - begin < 1ms) {
    }
    ++polls_;
    return {};
  }

 private:
  std::array<Domain, 1> domains_{domain_from_name("package-0")};
  bool counts_on_;
  std::atomic<int>& polls_;
};

struct Outcome {
  int polls = 0;
  std::vector<Warning> warnings;
};

Outcome read_for(Nanoseconds duration, bool counts_on, std::optional<Nanoseconds> interval) {
  std::atomic<int> polls = 0;
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<CostlySource>(counts_on, polls));
  PowerMonitor monitor(std::move(sources));
  EXPECT_TRUE(monitor.start(interval));
  std::this_thread::sleep_for(duration);
  monitor.stop();
  return {.polls = polls, .warnings = monitor.warnings()};
}

TEST(SourceWorker, ReadsWhatCountsOnNoMoreOftenThanItsShareOfACpuAllows) {
  const Outcome bounded = read_for(6s, true, std::nullopt);
  EXPECT_GT(bounded.polls, 5);
  EXPECT_LE(bounded.polls, 6s / (10 * PowerMonitor::kDefaultInterval) + 2);
  EXPECT_THAT(bounded.warnings, ::testing::IsEmpty()) << "it is meant to be read less often";
}

TEST(SourceWorker, ReadsAsOftenAsAskedWhateverItTakes) {
  const Outcome asked = read_for(1s, true, PowerMonitor::kDefaultInterval);
  EXPECT_GT(asked.polls, 2 * 10);
}

TEST(SourceWorker, ReadsWhatDoesNotCountOnAsOftenAsItCan) {
  const Outcome unbounded = read_for(1s, false, std::nullopt);
  EXPECT_GT(unbounded.polls, 2 * 10);
}

}  // namespace
}  // namespace enprof
