#include "power/recording/replay_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

Result<ReplayFile> parse(const std::string& text) {
  std::istringstream in(text);
  return parse_replay(in, "power.jsonl");
}

std::string complaint(const std::string& text) {
  const auto file = parse(text);
  EXPECT_FALSE(file) << text;
  if (file) {
    return {};
  }
  EXPECT_EQ(file.error().code, ErrorCode::malformed);
  EXPECT_THAT(file.error().hint, HasSubstr("energy_mj"));
  return file.error().message;
}

constexpr const char* kGood = R"({"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000})";

TEST(ReplayFile, ReadsWindowsAndTheirDomains) {
  const auto file = parse(
      R"({"domain":"package-0","begin_ms":0,"end_ms":10,"energy_mj":500})"
      "\n"
      R"({"domain":"core-0","begin_ms":0,"end_ms":10,"energy_mj":300})"
      "\n"
      R"({"domain":"package-0","begin_ms":10.5,"end_ms":20.000001,"energy_mj":1e3,"note":"x"})");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->domains.size(), 2U);
  EXPECT_EQ(file->domains[0].name, "package-0");
  EXPECT_EQ(file->domains[1].parent, 0U);
  EXPECT_EQ(file->domains[0].source, "replay");
  EXPECT_EQ(file->domains[0].method, Method::measured);
  EXPECT_EQ(file->domains[1].period, 10ms);
  ASSERT_EQ(file->windows.size(), 3U);
  EXPECT_EQ(
      file->windows[2],
      (ReplayWindow{.begin = 10500us, .end = 20000001ns, .energy = Joules{1.0}, .domain = 0}));
}

TEST(ReplayFile, PutsUpWithHowFilesAreWritten) {
  const auto file =
      parse("\xEF\xBB\xBF# recorded by hand\r\n\r\n  " + std::string(kGood) + "\r\n\n   # end\n");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->windows.size(), 1U);
}

TEST(ReplayFile, DomainsMayFollowEachOtherInAnyOrder) {
  const auto file = parse(R"({"domain":"a","begin_ms":0,"end_ms":10,"energy_mj":1})"
                          "\n"
                          R"({"domain":"a","begin_ms":10,"end_ms":20,"energy_mj":2})"
                          "\n"
                          R"({"domain":"b","begin_ms":0,"end_ms":15,"energy_mj":3})");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->windows.size(), 3U);
  EXPECT_EQ(file->windows[1].domain, 1U);  // by begin
}

TEST(ReplayFile, NamesLineColumnAndValueOfWhatIsWrong) {
  const std::string good = std::string(kGood) + "\n";
  EXPECT_THAT(complaint(good + "{\"domain\":"), HasSubstr("power.jsonl, line 2: column 1"));
  EXPECT_THAT(complaint(good + "\n# x\nwatts"), HasSubstr("line 4: column 1: this is not JSON"));
  EXPECT_THAT(complaint("[1,2]"), HasSubstr("line 1: the window is [1,2], not an object"));
  EXPECT_THAT(complaint(R"({"domain":"cpu","begin_ms":0,"end_ms":1})"),
              HasSubstr("the window has no \"energy_mj\""));
  EXPECT_THAT(complaint(R"({"begin_ms":0,"end_ms":1,"energy_mj":1})"),
              HasSubstr("the window has no \"domain\""));
  EXPECT_THAT(complaint(R"({"domain":7,"begin_ms":0,"end_ms":1,"energy_mj":1})"),
              HasSubstr("domain is 7, not a text"));
  EXPECT_THAT(complaint(R"({"domain":"","begin_ms":0,"end_ms":1,"energy_mj":1})"),
              HasSubstr("not a name"));
  EXPECT_THAT(complaint(R"({"domain":"a\u001bb","begin_ms":0,"end_ms":1,"energy_mj":1})"),
              AllOf(HasSubstr("not a name"), HasSubstr("\\u001b")));
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":"0","end_ms":1,"energy_mj":1})"),
              HasSubstr("begin_ms is \"0\", not a number"));
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":0,"end_ms":null,"energy_mj":1})"),
              HasSubstr("end_ms is null"));
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":5,"end_ms":5,"energy_mj":1})"),
              AllOf(HasSubstr("ends at 5 ms"), HasSubstr("begin at 5 ms")));
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":9,"end_ms":5,"energy_mj":1})"),
              HasSubstr("ends at 5 ms"));
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":-1,"end_ms":5,"energy_mj":1})"),
              HasSubstr("begin_ms is -1, not a number from 0"));
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":0,"end_ms":5,"energy_mj":-2.5})"),
              HasSubstr("energy_mj is -2.5, not a number from 0"));
}

TEST(ReplayFile, RefusesNumbersThatAreNone) {
  for (const char* energy : {"NaN", "nan", "Infinity", "1e400", "1e300", "+5"}) {
    const std::string line =
        R"({"domain":"a","begin_ms":0,"end_ms":5,"energy_mj":)" + std::string(energy) + "}";
    EXPECT_THAT(complaint(line), HasSubstr("line 1")) << energy;
  }
  EXPECT_THAT(complaint(R"({"domain":"a","begin_ms":0,"end_ms":1e200,"energy_mj":1})"),
              HasSubstr("end_ms is 1e+200"));
}

TEST(ReplayFile, RefusesWindowsOfOneDomainThatOverlapOrDescend) {
  const std::string good = std::string(kGood) + "\n";
  EXPECT_THAT(complaint(good + R"({"domain":"cpu","begin_ms":99,"end_ms":200,"energy_mj":1})"),
              AllOf(HasSubstr("line 2"), HasSubstr("begins at 99 ms"), HasSubstr("at 100 ms")));
  EXPECT_THAT(complaint(good + good), HasSubstr("begins at 0 ms"));
  // Windows of different domains may overlap.
  EXPECT_TRUE(parse(good + R"({"domain":"dram","begin_ms":50,"end_ms":200,"energy_mj":1})"));
}

TEST(ReplayFile, AFileWithoutWindowsIsNoRecording) {
  EXPECT_THAT(complaint(""), HasSubstr("power.jsonl contains no sensor readings"));
  EXPECT_THAT(complaint("# nothing\n\n"), HasSubstr("contains no sensor readings"));
}

TEST(ReplayFile, ALongValueIsShownInPart) {
  const std::string message =
      complaint(R"({"domain":")" + std::string(5000, 'x') + R"(","begin_ms":"y"})");
  EXPECT_LT(message.size(), 200U);
  EXPECT_LT(complaint("[\"" + std::string(5000, 'x') + "\"]").size(), 200U);
}

TEST(ReplayFile, FilesThatCannotBeReadAreNamed) {
  const testing::TempDir dir;
  const auto missing = read_replay_file(dir.path() / "none.jsonl");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, HasSubstr((dir.path() / "none.jsonl").string()));

  const auto directory = read_replay_file(dir.path());
  ASSERT_FALSE(directory);
  EXPECT_THAT(directory.error().message, HasSubstr("directory"));
}

TEST(ReplayFile, WhatIsWrittenIsReadBackToTheBit) {
  const ReplayWindow window{.begin = 86400000000001ns,
                            .end = 86400010976563ns,
                            .energy = Joules{0.1234567890123456},
                            .domain = 0};
  const std::string line = replay_line(domain_from_name("gpu \"0\" ü"), window);
  const auto file = parse(line);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->domains[0].name, "gpu \"0\" ü");
  EXPECT_EQ(file->windows[0].begin, window.begin);
  EXPECT_EQ(file->windows[0].end, window.end);
  EXPECT_NEAR(file->windows[0].energy.value(), window.energy.value(), 1e-16);
  EXPECT_EQ(replay_line(domain_from_name("cpu"), {.begin = 0ns, .end = 100ms, .energy = Joules{5}}),
            std::string(kGood) + "\n");
}

TEST(ReplayFile, WhatIsKnownOfAWindowAndItsDomainIsKept) {
  Domain domain = domain_from_name("cpu");
  domain.method = Method::estimated;
  domain.scope = DomainScope::machine;
  domain.relative_uncertainty = 0.1 / 3.0;
  const ReplayWindow window{.end = 100ms,
                            .energy = Joules{5},
                            .domain = 0,
                            .stamp_error_ns = 2'886'751,
                            .unseen_permille = 750};
  const auto file = parse(replay_line(domain, window) +
                          // Later lines need not repeat it.
                          R"({"domain":"cpu","begin_ms":100,"end_ms":200,"energy_mj":1})");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->windows[0], window);
  EXPECT_EQ(file->windows[1].stamp_error_ns, 0U);
  EXPECT_EQ(file->domains[0].method, Method::estimated);
  EXPECT_EQ(file->domains[0].scope, DomainScope::machine);
  EXPECT_EQ(file->domains[0].relative_uncertainty, 0.1 / 3.0);
}

TEST(ReplayFile, ADomainIsOfOneMethodAndScope) {
  const auto line = [](int begin, const std::string& more) {
    return R"({"domain":"cpu","begin_ms":)" + std::to_string(begin) + R"(,"end_ms":)" +
           std::to_string(begin + 10) + R"(,"energy_mj":1,)" + more + "}\n";
  };
  EXPECT_TRUE(parse(line(0, R"("method":"measured")") + line(10, R"("method":"measured")")));
  EXPECT_THAT(complaint(line(0, R"("method":"measured")") + line(10, R"("method":"estimated")")),
              AllOf(HasSubstr("line 2"),
                    HasSubstr("cpu is estimated here, but measured in an earlier line")));
  EXPECT_THAT(complaint(line(0, R"("scope":"board")") + line(10, R"("scope":"device")")),
              HasSubstr("cpu is device here, but board"));
  EXPECT_THAT(complaint(line(0, R"("relative_uncertainty":0.02)") +
                        line(10, R"("relative_uncertainty":0.05)")),
              HasSubstr("cpu is 0.05 here, but 0.02 in an earlier line"));
  EXPECT_THAT(complaint(line(0, R"("relative_uncertainty":2)")),
              HasSubstr("relative_uncertainty is 2, not a number from 0 to 1"));
  EXPECT_THAT(complaint(line(0, R"("method":"attributed")")),
              HasSubstr("method is \"attributed\", not one of measured, estimated"));
  EXPECT_THAT(complaint(line(0, R"("method":7)")), HasSubstr("method is 7, not a text"));
  EXPECT_THAT(complaint(line(0, R"("scope":"")")), HasSubstr("not one of by_kind, slice, device"));
  EXPECT_THAT(complaint(line(0, R"("stamp_error_ms":-1)")),
              HasSubstr("stamp_error_ms is -1, not a number from 0 to 4294"));
  EXPECT_THAT(complaint(line(0, R"("stamp_error_ms":1e5)")),
              HasSubstr("not a number from 0 to 4294"));
}

TEST(ReplayFile, OtherEncodingsAreNamed) {
  const testing::TempDir directory;
  std::string wide = "\xFF\xFE";
  for (const char* c = kGood; *c != '\0'; ++c) {
    wide += {*c, '\0'};
  }
  const auto file = read_replay_file(directory.write("my power.jsonl", wide));
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, AllOf(HasSubstr("my power.jsonl"), HasSubstr("utf-16le")));
  EXPECT_THAT(file.error().hint, HasSubstr("iconv -f utf-16le -t utf-8 '"));
  const auto marked =
      read_replay_file(directory.write("marked.jsonl", std::string("\xEF\xBB\xBF") + kGood));
  EXPECT_TRUE(marked) << marked.error().message;
}

}  // namespace
}  // namespace enprof
