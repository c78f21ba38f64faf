#include "report/run_from_json.hpp"

#include "report/run_json.hpp"
#include "support/sample_run.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <random>
#include <string>

namespace enprof {
namespace {

ProfiledRun read(const std::string& text) {
  auto run = run_from_json(text);
  EXPECT_TRUE(run) << run.error().message;
  return run ? *std::move(run) : ProfiledRun{};
}

TEST(RunFromJson, WhatItReadsIsWrittenJustTheSame) {
  for (const ProfiledRun& run : {testing::sample_run(), ProfiledRun{.run_id = "bare"}}) {
    const std::string text = run_to_json(run);
    EXPECT_EQ(run_to_json(read(text)), text);
  }
}

/// Energies whose millijoules lead back to them, as most do, come back to the bit.
TEST(RunFromJson, ARunThatJsonCanHoldComesBackEqual) {
  ProfiledRun run = testing::sample_run();
  const ProfiledRun back = read(run_to_json(run));
  EXPECT_EQ(back.model, run.model);
  EXPECT_EQ(back.tags, run.tags);
  EXPECT_EQ(back.started_at, run.started_at);
  EXPECT_EQ(back.values, run.values);
  EXPECT_EQ(back.warnings, run.warnings);
  EXPECT_EQ(back.operation_table.operations, run.operation_table.operations);
  ASSERT_EQ(back.operation_table.events.size(), run.operation_table.events.size());
  ASSERT_EQ(back.power.domains.size(), run.power.domains.size());
  for (std::size_t index = 0; index < run.power.domains.size(); ++index) {
    EXPECT_EQ(back.power.domains[index].domain, run.power.domains[index].domain);
  }
  // Once read, nothing more is lost.
  EXPECT_EQ(read(run_to_json(back)), back);
}

TEST(RunFromJson, EnergiesAreTheSameButForTheirLastBit) {
  std::mt19937_64 random{7};
  std::uniform_real_distribution<double> mantissa(0.5, 1.0);
  int same = 0;
  constexpr int kRounds = 2000;
  for (int round = 0; round < kRounds; ++round) {
    const double joules = std::ldexp(mantissa(random), static_cast<int>(random() % 40) - 20);
    ProfiledRun run{.run_id = "x"};
    run.totals.figure.total = Joules{joules};
    const double back = read(run_to_json(run)).totals.figure.total.value().value();
    EXPECT_LE(std::abs(back - joules), std::nextafter(joules, 2 * joules) - joules);
    same += back == joules ? 1 : 0;
  }
  EXPECT_GT(same, kRounds * 9 / 10);
}

TEST(RunFromJson, TextsOfAnyCharactersComeBack) {
  ProfiledRun run = testing::sample_run("any");
  run.experiment = "it's \"q\" \\ / \n\t 🔋 " + std::string(1, '\0') + "!";
  run.prompt = std::string(1 << 20, 'p') + "\xF0\x9F\x94\x8B";
  run.tokens[0].text = "\xF0\x9F";  // half a character cannot be in JSON
  const ProfiledRun back = read(run_to_json(run));
  EXPECT_EQ(back.experiment, run.experiment);
  EXPECT_EQ(back.prompt, run.prompt);
  EXPECT_EQ(back.tokens[0].text, "\xEF\xBF\xBD");
}

TEST(RunFromJson, WhatIsWrongIsNamedWithItsPlace) {
  const auto message = [](auto&& change) {
    auto document = nlohmann::json::parse(run_to_json(testing::sample_run()));
    change(document);
    const auto run = run_from_json(document.dump());
    EXPECT_FALSE(run);
    EXPECT_TRUE(!run && run.error().code == ErrorCode::malformed);
    return run ? std::string{} : run.error().message;
  };
  const auto says = [](const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  says(message([](auto& d) { d.erase("run_id"); }), R"(the document has no "run_id")");
  for (const char* id : {"", "a/b", "a\"b", "a\r\nSet-Cookie: x", "\x1b[2J", "..", "é"}) {
    says(message([&](auto& d) { d["run_id"] = id; }), ", not an id: 1 to 64 letters");
  }
  says(message([](auto& d) { d["run_id"] = std::string(65, 'a'); }), "run_id is \"");
  says(message([](auto& d) { d["run_id"] = "last"; }), "and not 'last'");
  says(message([](auto& d) { d["run_id"] = "--help"; }), "run_id is \"");
  says(message([](auto& d) { d["tokens"][1]["begin_ms"] = "soon"; }),
       R"(tokens[1].begin_ms is "soon", not a number)");
  says(message([](auto& d) { d["tokens"][1]["begin_ms"] = 1e300; }),
       "tokens[1].begin_ms is 1e+300, not a number from");
  says(message([](auto& d) { d["tokens"][1]["duration_ms"] = -1; }),
       "tokens[1].duration_ms is -1, not a number from 0");
  says(message([](auto& d) { d["power"]["interval_ms"] = -0.5; }),
       "power.interval_ms is -0.5, not a number from 0");
  for (const double share : {-0.1, 1.1, 9e18}) {
    says(message([&](auto& d) { d["phases"][0]["quality"]["coverage"] = share; }),
         ", not a share from 0 to 1");
  }
  says(message([](auto& d) { d["phases"][0]["energy_mj"] = -9e18; }),
       "phases[0].energy_mj is -9e+18, not a number from");
  says(message([](auto& d) { d["phases"][0]["phase"] = "lunch"; }),
       R"(phases[0].phase is "lunch", not one of pre_inference, prefill)");
  says(message([](auto& d) { d["power"]["domains"][0]["kind"] = "moon"; }),
       R"(power.domains[0].kind is "moon", not one of psys, module, package)");
  says(message([](auto& d) { d["power"]["domains"][0]["scope"] = "moon"; }),
       "not one of by_kind, slice, device, board, module, machine, unclear, rail");
  says(message([](auto& d) { d["power"]["samples"][2]["domain"] = "moon"; }),
       R"(power.samples[2].domain is "moon", not the name of a power domain of this run)");
  says(message([](auto& d) { d["operation_table"]["events"][3][3] = 99; }),
       "operation_table.events[3][3] is 99, not the place of an operation that is there");
  says(message([](auto& d) { d["operation_table"]["events"][3].erase(5); }), "six columns");
  says(message([](auto& d) { d["values"]["experts"][0]["weights"].erase(0); }), "weights");
  says(message([](auto& d) { d["model"]["layers"] = 1e9; }),
       "model.layers is 1000000000.0, not a whole number");
  says(message([](auto& d) { d["started_at"] = "3061-01-01T00:00:00.000Z"; }), "started_at is");
  for (const char* const none :
       {"2026-13-41T00:00:00.000Z", "2026-11-24T99:99:99.000Z", "2026-11-24T24:00:00.000Z",
        "2026-11-24T23:60:00.000Z", "2026-11-24T23:59:60.000Z", "2026-02-29T00:00:00.000Z",
        "2100-02-29T00:00:00.000Z", "2026-04-31T00:00:00.000Z", "2026-00-10T00:00:00.000Z",
        "2026-11-24T12:00:00.000+02:00", "2026-11-24T12:00:00.000", "2026-11-24 12:00:00.000Z",
        "1969-12-31T23:59:59.000Z", "2026-11-24T-1:00:00.000Z", ""}) {
    says(message([none](auto& d) { d["started_at"] = none; }), "started_at is");
  }
  says(message([](auto& d) { d["power"]["domains"][1]["within"] = "core-0"; }),
       "power.domains lie in each other");
  says(message([](auto& d) { d["totals"] = 3; }), "totals is 3, not an object");
  says(message([](auto& d) { d = "x"; }), R"(the document is "x", not an object)");
  EXPECT_FALSE(run_from_json(""));
  EXPECT_FALSE(run_from_json("{"));
}

/// A changed byte is read or refused, never followed to where nothing is.
TEST(RunFromJson, DamageIsReadOrRefused) {
  const std::string good = run_to_json(testing::sample_run());
  std::mt19937 random{20260921};
  for (int round = 0; round < 2000; ++round) {
    std::string text = good;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      text[random() % text.size()] = "0123456789,[]{}:\"-.e\xFF"[random() % 21];
    }
    if (const auto run = run_from_json(text)) {
      EXPECT_FALSE(run_to_json(*run).empty());
    }
  }
}

}  // namespace
}  // namespace enprof
