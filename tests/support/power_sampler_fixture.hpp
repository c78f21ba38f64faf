// A sampler over fake sources, whose clock a test moves.
#pragma once

#include "power/sampler/power_sampler.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof::testing {

/// The clock stands still, so that a sampler polls when it is synced and at no other time.
class PowerSamplerTest : public ::testing::Test {
 protected:
  FakeSource& add(const std::string& name, const std::vector<std::string>& domains) {
    sensors_.push_back(std::make_shared<FakeSensor>());
    auto source = std::make_unique<FakeSource>(name, domains, clock_, sensors_.back());
    FakeSource& result = *source;
    sources_.push_back(std::move(source));
    return result;
  }
  std::shared_ptr<PowerSampler> make(PowerSampler::Patience patience = {}) {
    const auto sampler = std::make_shared<PowerSampler>(std::move(sources_), clock_, patience);
    made_ = sampler;
    return sampler;
  }
  /// A test that fails half-way leaves no thread behind that reads the clock.
  void TearDown() override {
    if (const auto sampler = made_.lock()) {
      sampler->stop();
    }
  }
  /// Starts it with the first source alone, as most tests have it.
  std::shared_ptr<PowerSampler> started(PowerSampler::Patience patience = {}) {
    if (sources_.empty()) {
      add("fake", {"cpu"});
    }
    auto sampler = make(patience);
    const auto result = sampler->start(std::chrono::milliseconds{10});
    EXPECT_TRUE(result) << result.error().message;
    return sampler;
  }
  std::vector<EnergyWindow> all(const PowerSampler& sampler) const {
    return sampler.windows(clock_.now() - std::chrono::hours{1},
                           clock_.now() + std::chrono::hours{1});
  }
  static std::vector<std::string> codes(const PowerSampler& sampler) {
    std::vector<std::string> result;
    for (const Warning& warning : sampler.warnings()) {
      result.push_back(warning.code);
    }
    return result;
  }
  /// Waits for what must come; a test that fails here would otherwise hang.
  template <class Condition>
  static bool eventually(Condition condition) {
    for (int wait = 0; wait < 30'000; ++wait) {
      if (condition()) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return false;
  }

  ManualClock clock_;
  std::weak_ptr<PowerSampler> made_;
  std::vector<std::shared_ptr<FakeSensor>> sensors_;
  std::vector<std::unique_ptr<PowerSource>> sources_;
};

}  // namespace enprof::testing
