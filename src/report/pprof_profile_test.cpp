#include "report/pprof_profile.hpp"

#include "support/protobuf_reader.hpp"
#include "support/small_run.hpp"
#include "support/whole_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace enprof {
namespace {

using testing::ProtobufFields;

std::string unpack(const std::string& bytes) {
  archive* const gz = archive_read_new();
  archive_read_support_filter_gzip(gz);
  archive_read_support_format_raw(gz);
  EXPECT_EQ(archive_read_open_memory(gz, bytes.data(), bytes.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  EXPECT_EQ(archive_read_next_header(gz, &entry), ARCHIVE_OK);
  std::string text(100'000, '\0');
  text.resize(static_cast<std::size_t>(archive_read_data(gz, text.data(), text.size())));
  archive_read_free(gz);
  return text;
}

/// What `go tool pprof -raw` would show of a profile.
struct Profile {
  std::vector<std::string> types;
  std::map<std::string, std::vector<std::int64_t>> samples;  // by stack, leaf first
  std::vector<std::string> strings;
  ProtobufFields fields;

  explicit Profile(const ProfiledRun& run) : fields(bytes_of(run)) {
    strings = fields.texts(6);
    std::map<std::uint64_t, std::string> functions;
    for (const std::string& text : fields.texts(5)) {
      const ProtobufFields function(text);
      functions[function.number(1)] = strings.at(function.number(2));
    }
    std::map<std::uint64_t, std::string> locations;
    for (const std::string& text : fields.texts(4)) {
      const ProtobufFields location(text);
      locations[location.number(1)] = functions.at(location.message(4).number(1));
    }
    for (const std::string& text : fields.texts(1)) {
      const ProtobufFields type(text);
      types.push_back(strings.at(type.number(1)) + "/" + strings.at(type.number(2)));
    }
    for (const std::string& text : fields.texts(2)) {
      const ProtobufFields sample(text);
      std::string stack;
      for (const std::uint64_t location : ProtobufFields::numbers(sample.text(1))) {
        stack += locations.at(location) + "|";
      }
      for (const std::uint64_t value : ProtobufFields::numbers(sample.text(2))) {
        samples[stack].push_back(static_cast<std::int64_t>(value));
      }
    }
  }

  static std::string bytes_of(const ProfiledRun& run) {
    PprofProfile profile(std::make_unique<RunInMemory>(run));
    return unpack(testing::whole_text(profile));
  }
};

TEST(PprofProfile, HasEnergyAndTimeThatAddUp) {
  const Profile profile(testing::small_run());
  EXPECT_EQ(profile.strings[0], "");
  EXPECT_EQ(profile.types, (std::vector<std::string>{"energy/microjoules", "time/microseconds"}));
  EXPECT_EQ(profile.strings.at(profile.fields.number(14)), "energy");
  EXPECT_EQ(profile.fields.number(9), 1'790'000'000'123'000'000U);
  EXPECT_EQ(profile.fields.number(10), 100'000'000U);
  EXPECT_EQ(profile.strings.at(profile.fields.number(13)), "enprof run a1b2");
  EXPECT_EQ(profile.samples.size(), 13U);
  EXPECT_EQ(profile.samples.at("MUL_MAT|q_proj|layer 0|decode|"),
            (std::vector<std::int64_t>{2'000'000, 20'000}));
  std::vector<std::int64_t> sums{0, 0};
  for (const auto& [stack, values] : profile.samples) {
    ASSERT_EQ(values.size(), 2U) << stack;
    sums[0] += values[0];
    sums[1] += values[1];
  }
  EXPECT_EQ(sums, (std::vector<std::int64_t>{10'000'000, 100'000}));
}

TEST(PprofProfile, WithoutEnergyHasTimeAlone) {
  const Profile profile(testing::small_run_without_power());
  EXPECT_EQ(profile.types, std::vector<std::string>{"time/microseconds"});
  EXPECT_EQ(profile.samples.at("sampling|decode|"), std::vector<std::int64_t>{5000});
  EXPECT_FALSE(profile.fields.has(14));
}

TEST(PprofProfile, AnyBeginOfARunIsAllowed) {
  ProfiledRun run = testing::small_run();
  run.started_at = WallTime{std::chrono::milliseconds{253'402'300'799'999}};  // in 9999
  EXPECT_FALSE(Profile(run).fields.has(9));
}

TEST(PprofProfile, SaysThatEnergiesAreEstimated) {
  ProfiledRun run = testing::small_run();
  run.totals.figure.quality.method = Method::estimated;
  const Profile profile(run);
  EXPECT_EQ(std::ranges::count(profile.strings, "the energies are estimated"), 1);
}

}  // namespace
}  // namespace enprof
