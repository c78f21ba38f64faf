#include "power/power_sources.hpp"

#include "support/fake_nvml.hpp"
#include "support/fake_procfs.hpp"
#include "support/fake_sysfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

#if !defined(__APPLE__)

class PowerSourcesTest : public ::testing::Test {
 protected:
  [[nodiscard]] PowerEnvironment environment() const {
    return {.sysfs_root = rapl_.root(),
            .procfs_root = procfs_.root(),
            .nvml_library = "/nowhere/libnvidia-ml.so.1"};
  }

  [[nodiscard]] static SourceStatus find(const std::vector<SourceStatus>& survey,
                                         std::string_view name) {
    const auto found = std::ranges::find(survey, name, &SourceStatus::name);
    EXPECT_NE(found, survey.end()) << name;
    return found == survey.end() ? SourceStatus{} : *found;
  }

  testing::FakeRapl rapl_;
  testing::FakeProcfs procfs_;
};

TEST_F(PowerSourcesTest, AutoTakesTheBestThatWorks) {
  rapl_.add("intel-rapl:0", "package-0");
  const auto opened = open_sources("auto", environment());
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_EQ(opened->sources.size(), 1U);
  EXPECT_EQ(opened->sources[0]->name(), "rapl");
  EXPECT_TRUE(opened->notes.empty());
}

TEST_F(PowerSourcesTest, AutoTakesEveryGpuBesideTheCpus) {
  rapl_.add("intel-rapl:0", "package-0");
  testing::FakeNvml nvml;
  nvml.play("gpu 0\nat 0 gpu 0 watts 150\n");
  auto all = environment();
  all.nvml_library = nvml.library();
  all.clock = &nvml;
  const auto write = [&](const std::string& file, std::string_view text) {
    const auto path = rapl_.root() / "class" / "hwmon" / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  };
  write("hwmon0/name", "amdgpu");
  write("hwmon0/power1_average", "50000000");
  write("hwmon1/name", "corsairpsu");
  write("hwmon1/power1_label", "power total");
  write("hwmon1/power1_input", "400000000");
  const auto opened = open_sources("auto", all);
  ASSERT_TRUE(opened) << opened.error().message;
  std::vector<std::string> names;
  for (const auto& source : opened->sources) {
    for (const Domain& domain : source->domains()) {
      names.push_back(std::string(source->name()) + " " + domain.name);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"rapl package-0", "nvml gpu-0", "hwmon gpu-0"}));

  nvml.play("init 18\n");
  const auto without = open_sources("auto", all);
  ASSERT_TRUE(without) << "an error of a GPU's driver must not end the program";
  ASSERT_EQ(without->notes.size(), 1U);
  EXPECT_THAT(without->notes[0], HasSubstr("nvml is not used: "));
}

TEST_F(PowerSourcesTest, AutoSaysWhyItTookNoBetterOne) {
  const auto opened = open_sources("auto", environment());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->sources[0]->name(), "estimate");
  EXPECT_THAT(opened->notes,
              Contains(HasSubstr("rapl is not used: There is no energy counter below")));
  EXPECT_THAT(opened->notes, Not(Contains(HasSubstr("powermetrics")))) << "it is part of macOS";
}

TEST_F(PowerSourcesTest, AutoSaysWhyThereIsNoneAtAll) {
  procfs_.write("stat", "");
  const auto opened = open_sources("auto", environment());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("rapl: "));
  EXPECT_THAT(opened.error().message, HasSubstr("estimate: "));
  EXPECT_THAT(opened.error().hint, HasSubstr("--power none"));
}

TEST_F(PowerSourcesTest, AutoDoesNotPassOverAWrongArgument) {
  auto wrong = environment();
  wrong.tdp = Watts{-1};
  const auto opened = open_sources("auto", wrong);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
}

TEST_F(PowerSourcesTest, NamedSourcesAreTakenOrRefused) {
  EXPECT_EQ(open_sources("estimate", environment())->sources[0]->name(), "estimate");
  EXPECT_TRUE(open_sources("none", environment())->sources.empty());
  const auto rapl = open_sources("rapl", environment());
  ASSERT_FALSE(rapl);
  EXPECT_EQ(rapl.error().code, ErrorCode::not_found);

  const testing::TempDir dir;
  const auto file =
      dir.write("power.jsonl", R"({"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000})");
  const auto replay = open_sources("replay:" + file.string(), environment());
  ASSERT_TRUE(replay) << replay.error().message;
  EXPECT_EQ(replay->sources[0]->name(), "replay");
  EXPECT_EQ(open_sources("replay:" + file.string() + "x", environment()).error().code,
            ErrorCode::not_found);
}

std::vector<std::string> names(const Result<OpenedSources>& opened) {
  std::vector<std::string> result;
  if (opened) {
    for (const auto& source : opened->sources) {
      result.emplace_back(source->name());
    }
  }
  return result;
}

TEST_F(PowerSourcesTest, SeveralCanBeNamed) {
  rapl_.add("intel-rapl:0", "package-0");
  EXPECT_EQ(names(open_sources("rapl,estimate", environment())),
            (std::vector<std::string>{"rapl", "estimate"}));
  EXPECT_EQ(names(open_sources("auto,estimate", environment())),
            (std::vector<std::string>{"rapl", "estimate"}));
  const testing::TempDir dir;
  const auto file = dir.write("power,2.jsonl",
                              R"({"domain":"gpu-0","begin_ms":0,"end_ms":100,"energy_mj":5000})");
  EXPECT_EQ(names(open_sources("rapl,replay:" + file.string(), environment())),
            (std::vector<std::string>{"rapl", "replay"}));
}

TEST_F(PowerSourcesTest, AnEmptyNameInAListIsRefused) {
  for (const char* const list : {"rapl,", ",rapl", "rapl,,nvml"}) {
    const auto opened = open_sources(list, environment());
    ASSERT_FALSE(opened) << list;
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(opened.error().message, HasSubstr(std::string("in the list ") + list));
  }
}

TEST(NamesRequired, RecordingsAndTheBatteryAreRequired) {
  for (const char* names :
       {"replay:a.jsonl", "Replay:a.jsonl", "rapl,replay:a,b.jsonl", "battery", "nvml,Battery"}) {
    EXPECT_TRUE(names_required(names)) << names;
  }
  for (const char* names : {"", "auto", "rapl,nvml", "replay", "rapl:replay:a.jsonl"}) {
    EXPECT_FALSE(names_required(names)) << names;
  }
}

TEST_F(PowerSourcesTest, WhereNothingWorksItSaysOfEachWhy) {
  procfs_.write("stat", "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n");
  const auto opened = open_sources("auto", environment());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
  EXPECT_THAT(opened.error().message, HasSubstr("No power source works here; rapl: "));
  EXPECT_THAT(opened.error().message, HasSubstr("; estimate: CPU power cannot be estimated"));
  EXPECT_THAT(opened.error().hint, HasSubstr("enprof doctor"));
}

TEST_F(PowerSourcesTest, NamesMayBeInUpperCase) {
  rapl_.add("intel-rapl:0", "package-0");
  EXPECT_EQ(names(open_sources("RAPL,Estimate", environment())),
            (std::vector<std::string>{"rapl", "estimate"}));
  EXPECT_EQ(names(open_sources("Auto", environment())), std::vector<std::string>{"rapl"});
  EXPECT_TRUE(open_sources("NONE", environment())->sources.empty());
  const testing::TempDir dir;
  const auto file =
      dir.write("P,2.jsonl", R"({"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000})");
  EXPECT_EQ(names(open_sources("Replay:" + file.string(), environment())),
            std::vector<std::string>{"replay"});
  EXPECT_THAT(open_sources("rapl,RAPL", environment()).error().message, HasSubstr("named twice"));
}

TEST_F(PowerSourcesTest, NoneGoesWithNoOther) {
  for (const char* list : {"none,estimate", "estimate,none"}) {
    const auto opened = open_sources(list, environment());
    ASSERT_FALSE(opened) << list;
    EXPECT_EQ(opened.error().message,
              std::string("The power source \"none\" is named with others: ") + list);
    EXPECT_THAT(opened.error().hint, HasSubstr("none alone"));
  }
}

TEST_F(PowerSourcesTest, AListIsTakenWholeOrRefused) {
  rapl_.add("intel-rapl:0", "package-0");
  for (const char* list : {"rapl,", ",rapl", "rapl,,estimate", "rapl,fusion", "rapl,none",
                           "none,rapl", "rapl,rapl", "rapl, estimate"}) {
    const auto opened = open_sources(list, environment());
    ASSERT_FALSE(opened) << list;
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument) << list;
  }
}

TEST_F(PowerSourcesTest, AnUnknownNameGetsTheListOfKnownOnes) {
  for (const char* name : {"fusion", "", "replay", "replay:", "auto "}) {
    const auto opened = open_sources(name, environment());
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(opened.error().message, HasSubstr("'" + std::string(name) + "'"));
    EXPECT_THAT(opened.error().hint,
                HasSubstr("auto, rapl, powermetrics, estimate, nvml, hwmon, battery, "
                          "replay:FILE, none"));
  }
}

TEST_F(PowerSourcesTest, TheSurveySaysOfEachWhetherItWorksAndWhatWouldHelp) {
  const auto without = survey_sources(environment());
  const auto rapl = find(without, "rapl");
  EXPECT_FALSE(rapl.works);
  EXPECT_THAT(rapl.detail, HasSubstr("class/powercap"));
  EXPECT_FALSE(rapl.fix.empty());
  const auto nvml = find(without, "nvml");
  EXPECT_FALSE(nvml.works);
  EXPECT_THAT(nvml.fix, HasSubstr("ENPROF_NVML_LIBRARY"));
  const auto powermetrics = find(without, "powermetrics");
  EXPECT_FALSE(powermetrics.works);
  EXPECT_THAT(powermetrics.fix, HasSubstr("macOS only"));
  const auto estimate = find(without, "estimate");
  EXPECT_TRUE(estimate.works);
  EXPECT_THAT(estimate.detail, HasSubstr("not a measurement"));
  EXPECT_TRUE(estimate.fix.empty());

  rapl_.add("intel-rapl:0", "package-0");
  const auto with = survey_sources(environment());
  EXPECT_TRUE(find(with, "rapl").works);
  EXPECT_THAT(find(with, "rapl").detail, HasSubstr("package-0"));
}

#endif

}  // namespace
}  // namespace enprof
