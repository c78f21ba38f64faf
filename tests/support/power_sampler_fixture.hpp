// A sampler over fake sources, whose clock the test advances.
#pragma once

#include "power/sampler/power_sampler.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/warning_codes.hpp"
#include "support/windows.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enprof::testing {

/// The clock stands still, so that a sampler polls only in sync().
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
  /// Stops the threads, which read the clock, also if the test failed early.
  void TearDown() override {
    if (const auto sampler = made_.lock()) {
      sampler->stop();
    }
  }
  /// Starts it with only the first source, as most tests need it.
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
    return joined(sampler.windows(clock_.now() - std::chrono::hours{1},
                                  clock_.now() + std::chrono::hours{1}));
  }
  static std::vector<std::string> codes(const PowerSampler& sampler) {
    return warning_codes(sampler.warnings());
  }
  ManualClock clock_;
  std::weak_ptr<PowerSampler> made_;
  std::vector<std::shared_ptr<FakeSensor>> sensors_;
  std::vector<std::unique_ptr<PowerSource>> sources_;
};

}  // namespace enprof::testing
