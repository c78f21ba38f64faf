#include "session/calibration_finder.hpp"

#include "session/component_calibration.hpp"
#include "support/fake_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <vector>

namespace enprof {
namespace {

using enprof::testing::FakeSensor;
using enprof::testing::FakeSource;
using enprof::testing::ManualClock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class QuietModel final : public LoadedModel {
 public:
  explicit QuietModel(std::string name) { facts_.name = std::move(name); }
  const ModelFacts& facts() const noexcept override { return facts_; }
  std::size_t most_output_tokens(const GenerateOptions&) const noexcept override { return 1; }
  Result<GenerateResult> generate(RunScope&, const GenerateOptions&) override {
    return GenerateResult{};
  }
  int threads(int chosen) const noexcept override { return chosen > 0 ? chosen : 4; }

 private:
  ModelFacts facts_;
};

class CalibrationFinderTest : public ::testing::Test {
 protected:
  static std::vector<std::unique_ptr<PowerSource>> sources(const ManualClock& clock) {
    std::vector<std::unique_ptr<PowerSource>> result;
    result.push_back(std::make_unique<FakeSource>("fake", std::vector<std::string>{"package-0"},
                                                  clock, std::make_shared<FakeSensor>()));
    return result;
  }
  std::filesystem::path keep(const QuietModel& model) {
    const auto kept = folder_.keep({.key = calibration_key(model, 0, power_)});
    EXPECT_TRUE(kept) << kept.error().message;
    return *kept;
  }

  enprof::testing::TempDir directory_;
  ManualClock clock_;
  PowerMonitor power_{sources(clock_), clock_};
  CalibrationFolder folder_{directory_.path()};
  std::vector<std::string> notes_;
  CalibrationFinder finder_{folder_, [this](const std::string& note) { notes_.push_back(note); }};
  QuietModel model_{"m"};
};

TEST_F(CalibrationFinderTest, FindsOneThatWasMadeMeanwhile) {
  EXPECT_EQ(finder_.find(model_, 0, power_), nullptr);
  keep(model_);
  const auto found = finder_.find(model_, 0, power_);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->key.model, "m");
  EXPECT_EQ(finder_.find(model_, 4, power_)->key, found->key) << "as many threads as loaded with";
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(CalibrationFinderTest, SaysOnceWhyAModelsCalibrationIsNotUsed) {
  const auto kept = keep(model_);
  const QuietModel other("n");
  keep(other);
  for (int run = 0; run < 3; ++run) {
    EXPECT_EQ(finder_.find(model_, 3, power_), nullptr);
    EXPECT_EQ(finder_.find(other, 3, power_), nullptr);
  }
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("made with 4 threads, not 3"),
                                  HasSubstr("made with 4 threads, not 3")));
  std::ofstream(kept) << "{";
  EXPECT_EQ(finder_.find(model_, 0, power_), nullptr);
  ASSERT_EQ(notes_.size(), 3U) << "another reason";
  EXPECT_THAT(notes_.back(), HasSubstr("is no calibration"));
  keep(model_);
  EXPECT_NE(finder_.find(model_, 0, power_), nullptr);
  std::ofstream(kept) << "{";
  EXPECT_EQ(finder_.find(model_, 0, power_), nullptr);
  EXPECT_EQ(notes_.size(), 4U) << "it was good meanwhile";
}

TEST_F(CalibrationFinderTest, WithoutASensorNothingIsLookedFor) {
  keep(model_);
  const PowerMonitor none(std::vector<std::unique_ptr<PowerSource>>{}, clock_);
  EXPECT_EQ(finder_.find(model_, 0, none), nullptr);
  EXPECT_THAT(notes_, IsEmpty());
}

}  // namespace
}  // namespace enprof
