#include "cli/live_screen.hpp"

#include "base/utf8.hpp"
#include "report/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

LiveRun run_of(const std::vector<std::string>& events) {
  LiveRun run;
  for (const std::string& event : events) {
    run.apply(Json::parse(event));
  }
  return run;
}

LiveRun busy_run() {
  LiveRun run = run_of({
      R"({"seq":1,"run_id":"0123456789abcdef","type":"model_loading","t_ms":0,
          "data":{"model":"m.gguf","progress_ratio":1.0}})",
      R"({"seq":2,"run_id":"0123456789abcdef","type":"run_started","t_ms":0,"data":{}})",
      R"({"seq":3,"run_id":"0123456789abcdef","type":"section_start","t_ms":1,
          "data":{"phase":"decode","section":"forward"}})",
      R"({"seq":4,"run_id":"0123456789abcdef","type":"token_complete","t_ms":100,
          "data":{"index":1,"phase":"decode","text":"A sky 日本","energy_mj":54.3}})",
      R"({"seq":5,"run_id":"0123456789abcdef","type":"token_complete","t_ms":200,
          "data":{"index":2,"phase":"decode","text":"語 is blue","energy_mj":54.3}})",
      R"({"seq":6,"run_id":"0123456789abcdef","type":"power_sample","t_ms":1234,
          "data":{"power_mw":45000,"energy_mj":3649,"rails":[{"name":"package-0","power_mw":40000},
                  {"name":"dram-0","power_mw":5000}]}})",
      R"({"seq":7,"run_id":"0123456789abcdef","type":"warning","t_ms":1300,
          "data":{"message":"Other processes were busy","hint":"Stop them."}})",
      R"({"seq":8,"run_id":"","type":"gap","t_ms":0,"data":{"missed":7,"restarted":false}})",
  });
  return run;
}

TEST(LiveScreen, SaysWhatARunIsDoing) {
  EXPECT_THAT(live_screen(busy_run(), "enprof · connected", {.width = 100}, 40),
              ElementsAre("enprof · connected",
                          "Run        0123456789abcdef · running · decode / forward · 1.300 s",
                          "Model      m.gguf",                               //
                          "Tokens     2 · 10.0 tokens/s",                    //
                          "Energy     3.649 J · 54.30 mJ/token so far",      //
                          "Power      45.00 W",                              //
                          "  package-0      40.00 W",                        //
                          "  dram-0         5.000 W",                        //
                          "! missed 7 events: the server had dropped them",  //
                          "",                                                //
                          "A sky 日本語 is blue",                            //
                          "! Other processes were busy — Stop them."));
}

TEST(LiveScreen, OfARunThatIsOverItSaysTheMean) {
  LiveRun run = busy_run();
  run.apply(Json::parse(R"({"seq":9,"run_id":"0123456789abcdef","type":"inference_complete",
      "t_ms":2000,"data":{"status":"completed","duration_ms":2000,"energy_mj":80000}})"));
  const auto lines = live_screen(run, "", {}, 40);
  EXPECT_THAT(lines, Contains("Power      40.00 W mean"));
  EXPECT_THAT(lines, Each(Not(HasSubstr("dram-0"))));
}

TEST(LiveScreen, ARestartedServerIsShown) {
  LiveRun run = busy_run();
  run.apply(Json::parse(R"({"seq":9,"run_id":"","type":"gap","t_ms":0,
      "data":{"missed":null,"restarted":true}})"));
  const auto lines = live_screen(run, "", {}, 40);
  EXPECT_THAT(lines, Contains(HasSubstr("· interrupted")));
  EXPECT_THAT(lines, Contains(HasSubstr("the server was restarted")));
}

TEST(LiveScreen, EstimatesAreMarked) {
  LiveRun run = busy_run();
  EXPECT_THAT(live_screen(run, "", {}, 40), Each(Not(HasSubstr("~"))));
  run.apply_power_status(
      Json::parse(R"({"domains":[{"name":"package-0","method":"estimated","within":null}]})"));
  const auto lines = live_screen(run, "", {}, 40);
  EXPECT_THAT(lines, Contains("Energy     ~3.649 J · ~54.30 mJ/token so far"));
  EXPECT_THAT(lines, Contains("Power      ~45.00 W"));
  EXPECT_THAT(lines, Contains("  package-0      ~40.00 W"));
  EXPECT_THAT(lines, Contains(HasSubstr("not measured")));
}

TEST(LiveScreen, WhatIsAbsentIsADash) {
  const LiveRun run = run_of({R"({"seq":1,"run_id":"r","type":"run_started","t_ms":0,"data":{}})"});
  EXPECT_THAT(live_screen(run, "h", {}, 40),
              ElementsAre("h", "Run        r · running", "Model      –",
                          "Tokens     0 · – tokens/s", "Energy     – · –/token", "Power      –"));
  EXPECT_THAT(live_screen(LiveRun{}, "h", {}, 40), ElementsAre("h", "Waiting for a run to begin."));
}

TEST(LiveScreen, FitsAnyTerminal) {
  LiveRun run = busy_run();
  for (int index = 0; index < 500; ++index) {
    run.apply(Json{{"seq", 9 + index},
                   {"run_id", "0123456789abcdef"},
                   {"type", "token_complete"},
                   {"t_ms", 1400},
                   {"data", {{"index", 3 + index}, {"text", "日本 word\n"}}}});
  }
  for (const std::size_t columns : {1U, 2U, 5U, 20U, 39U, 80U, 200U}) {
    for (const std::size_t rows : {1U, 2U, 5U, 12U, 24U, 60U}) {
      const auto lines = live_screen(run, "a heading that is quite long", {.width = columns}, rows);
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) {
        EXPECT_LE(display_width(line), columns) << line;
        EXPECT_FALSE(first_invalid_utf8(line)) << line;
      }
    }
  }
  EXPECT_THAT(live_screen(run, "h", {.width = 80}, 24), SizeIs(24));
}

TEST(LiveScreen, ColoursOnlyWhereTheyAreWanted) {
  EXPECT_THAT(live_screen(busy_run(), "h", {.colour = true}, 40), Contains(HasSubstr("\x1b[33m")));
  EXPECT_THAT(live_screen(busy_run(), "h", {.colour = false}, 40), Each(Not(HasSubstr("\x1b"))));
}

TEST(LiveScreen, NothingFromElsewhereDrivesTheTerminal) {
  const LiveRun run = run_of({
      R"({"seq":1,"run_id":"r\u001b[2J","type":"model_loading","t_ms":0,"data":{"model":"\u009b2J"}})",
      R"({"seq":2,"run_id":"r\u001b[2J","type":"token_complete","t_ms":0,
          "data":{"text":"a\u001b]0;x\u0007\u202eb\u0085"}})",
      R"({"seq":3,"run_id":"r\u001b[2J","type":"error","t_ms":0,"data":{"message":"\u001b[1m\nx"}})",
  });
  for (const std::string& line : live_screen(run, "h", {}, 40)) {
    EXPECT_THAT(line, Not(HasSubstr("\x1b")));
    EXPECT_THAT(line, Not(HasSubstr("\x07")));
    EXPECT_THAT(line, Not(HasSubstr("\n")));
    EXPECT_THAT(line, Not(HasSubstr("\xC2\x9B")));
    EXPECT_THAT(line, Not(HasSubstr("\xC2\x85")));
    EXPECT_THAT(line, Not(HasSubstr("\xE2\x80\xAE")));
  }
}

TEST(LastLines, KeepsTheEndInWholeCharacters) {
  EXPECT_THAT(last_lines("one\ntwo three", 20, 2), ElementsAre("one", "two three"));
  EXPECT_THAT(last_lines("abcdefgh", 3, 2), ElementsAre("def", "gh"));
  EXPECT_THAT(last_lines("日本語", 3, 9), ElementsAre("日", "本", "語"));
  EXPECT_THAT(last_lines("日", 1, 9), Each(""));
  EXPECT_THAT(last_lines("a\xFF"
                         "b",
                         9, 1),
              ElementsAre("a\xEF\xBF\xBD"
                          "b"));
}

LiveRun capture(int in_flight, int listed) {
  Json running = Json::array();
  for (int number = 1; number <= listed; ++number) {
    running.push_back({{"number", number},
                       {"sequence", number - 1},
                       {"begin_ms", 1000 * number},
                       {"prompt_tokens", 512},
                       {"output_tokens", 31},
                       {"time_to_first_token_ms", number == 1 ? Json(320) : Json()}});
  }
  LiveRun run =
      run_of({R"({"seq":1,"run_id":"0123456789abcdef","type":"run_started","t_ms":0,"data":{}})",
              R"({"seq":2,"run_id":"0123456789abcdef","type":"power_sample","t_ms":3900,
          "data":{"power_mw":45000,"energy_mj":3649,"rails":[]}})"});
  run.apply(Json{{"seq", 3},
                 {"run_id", "0123456789abcdef"},
                 {"type", "request_metrics"},
                 {"t_ms", 4000},
                 {"data",
                  {{"passes", 99},
                   {"requests", 17},
                   {"in_flight", in_flight},
                   {"output_tokens", 100},
                   {"tokens_per_second", 42.14},
                   {"mean_sequences", 2.81},
                   {"energy_per_output_token_mj", 1102.0},
                   {"running", running}}}});
  return run;
}

TEST(LiveScreen, OfAProgramItHasTheRequestsInFlight) {
  EXPECT_THAT(live_screen(capture(2, 2), "enprof · connected", {.width = 79}, 40),
              ElementsAre("enprof · connected",                               //
                          "Run        0123456789abcdef · running · 4.000 s",  //
                          "Requests   2 of 17 in flight · 42.1 tokens/s · 2.8 a pass",
                          "Energy     3.649 J · 1.102 J/token so far",             //
                          "Power      45.00 W",                                    //
                          "     #      in     out        age  first token  slot",  //
                          "     1     512      31    3.000 s     320.0 ms     0",  //
                          "     2     512      31    2.000 s            –     1"));
}

TEST(LiveScreen, WithoutRoomColumnsAndRequestsAreLeftOut) {
  const auto narrow = live_screen(capture(2, 2), "enprof", {.width = 40}, 40);
  EXPECT_THAT(narrow, Contains("     1     512      31    3.000 s"));
  for (const std::string& line : narrow) {
    EXPECT_LE(display_width(line), 40U) << line;
  }
  const auto low = live_screen(capture(300, 256), "enprof", {.width = 79}, 9);
  EXPECT_THAT(low, SizeIs(9));
  EXPECT_EQ(low.back(), "   and 298 more");
}

}  // namespace
}  // namespace enprof
