#include "cli/event_line.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(EventLine, HasTheEnvelopeAndEachValue) {
  EXPECT_EQ(
      event_line(Json::parse(R"({"seq":7,"run_id":"ab","type":"token_complete","t_ms":12.5,
                "data":{"index":0,"text":" two words","energy_mj":null,"provisional":true}})")),
      R"(7 ab 12.5 token_complete index=0 text=" two words" energy_mj=null provisional=true)");
}

TEST(EventLine, AGapBelongsToNoRun) {
  EXPECT_EQ(event_line(Json::parse(R"({"seq":9,"run_id":"","type":"gap","t_ms":0,
                                "data":{"missed":null,"restarted":true}})")),
            "9 - 0 gap missed=null restarted=true");
}

TEST(EventLine, NamesEachRailAndCountsOtherLists) {
  EXPECT_EQ(event_line(Json::parse(R"({"seq":1,"run_id":"r","type":"power_sample","t_ms":1,"data":{
          "power_mw":50,"rails":[{"name":"package-0","power_mw":40},{"name":"dram","power_mw":null},
                                 3]}})")),
            "1 r 1 power_sample power_mw=50 rail.package-0_mw=40 rail.dram_mw=null");
  EXPECT_EQ(
      event_line(Json::parse(
          R"({"seq":2,"run_id":"r","type":"energy_settled","t_ms":1,"data":{"tokens":[1,2]}})")),
      "2 r 1 energy_settled tokens=2");
}

TEST(EventLine, IsOneLineOfPlainFieldsWhateverTheEventHolds) {
  EXPECT_EQ(event_line(Json::parse(R"({"seq":1,"run_id":"a b\n","type":"x\u001b[2J","t_ms":1,
                                       "data":{"text":"\n\u001b[2J\u0007"}})")),
            R"(1 a_b_ 1 x_[2J text="\n\u001b[2J\u0007")");
  EXPECT_EQ(event_line(Json{{"seq", 1},
                            {"run_id", "\u009B2J\u202E"},
                            {"type", "t\x7F\u2028"},
                            {"t_ms", 1},
                            {"data",
                             {{"ke y\x1b[2J\u009B", "\u009B\x7F\u200F"},
                              {"list\x1b", {1}},
                              {"rails", {{{"name", "\x1b\u0090"}, {"power_mw", 1}}}}}}}),
            R"(1 _2J_ 1 t__ ke_y_[2J_="\u009b\u007f\u200f" list_=1 rail.___mw=1)");
  EXPECT_EQ(event_line(Json::parse("{}")), "- - - -");
  EXPECT_EQ(event_line(Json::parse(R"({"data":3})")), "- - - -");
}

}  // namespace
}  // namespace enprof
