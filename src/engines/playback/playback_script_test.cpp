#include "engines/playback/playback_script.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <sstream>
#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Result<PlaybackScript> parse(const std::string& text) {
  std::istringstream in(text);
  return parse_playback(in, "s.playback.json");
}

TEST(PlaybackScript, IsReadAsItIsWritten) {
  const auto script = parse(R"({
    "playback": 1,
    "model": {"name": "toy", "layers": 2, "context_trained": 512},
    "prompt_tokens": 5,
    "plans": [{"name": "token", "operations": [
      {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 120.5, "flops": 1e6},
      {"component": "lm_head", "us": 80}]}],
    "steps": [
      {"phase": "prefill", "sections": [{"name": "forward", "us": 3, "pass": "token"}]},
      {"phase": "decode", "token": " x", "repeat": 3, "sections": [{"name": "sampling", "us": 10}]},
      {"phase": "decode", "fail": "the script says so"}]})");
  ASSERT_TRUE(script) << script.error().message;
  EXPECT_EQ(script->model.name, "toy");
  EXPECT_EQ(script->model.layers, 2);
  EXPECT_EQ(script->model.context_trained, 512);
  EXPECT_EQ(script->prompt_tokens, 5U);
  EXPECT_EQ(script->tokens(), 3U);
  ASSERT_EQ(script->plans.size(), 1U);
  EXPECT_EQ(script->plans[0].lengths, (std::vector<Nanoseconds>{120'500ns, 80us}));
  EXPECT_EQ(script->plans[0].plan.operations[0].layer, 0);
  EXPECT_EQ(script->plans[0].plan.operations[1].layer, OperationInfo::kNoLayer);
  ASSERT_EQ(script->steps.size(), 3U);
  EXPECT_EQ(script->steps[0].sections[0].plan, 0U);
  EXPECT_EQ(script->steps[0].sections[0].length, 3us);
  EXPECT_EQ(script->steps[1].token, " x");
  EXPECT_EQ(script->steps[1].repeat, 3U);
  ASSERT_TRUE(script->steps[2].failure);
  EXPECT_EQ(script->steps[2].failure->message, "the script says so");
}

struct Wrong {
  const char* text;
  const char* complaint;
};
class WrongScript : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongScript, IsRefusedWithItsPlaceAndItsValue) {
  const auto script = parse(GetParam().text);
  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().code, ErrorCode::malformed);
  EXPECT_THAT(script.error().message, HasSubstr("s.playback.json cannot be played: "));
  EXPECT_THAT(script.error().message, HasSubstr(GetParam().complaint));
  EXPECT_FALSE(script.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongScript,
    ::testing::Values(
        Wrong{"", "parse error"}, Wrong{"[]", "the script is [], not an object"},
        Wrong{"{}", R"(does not begin with "playback": 1)"},
        Wrong{R"({"playback": 2, "steps": []})", R"("playback": 1)"},
        Wrong{R"({"playback": 1})", R"(it has no "steps")"},
        Wrong{R"({"playback": 1, "stepps": []})", R"(has "stepps", which is not known there)"},
        Wrong{R"({"playback": 1, "steps": 3})", "steps is 3, not a list"},
        Wrong{R"({"playback": 1, "steps": [{}]})", R"(steps[0] has no "phase")"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "deocde"}]})",
              R"(steps[0].phase is "deocde")"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "decode"}, {"phase": "prefill"}]})",
              "steps[1] has phase prefill, but follows a step of phase decode"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "decode", "repeat": 0}]})",
              "steps[0].repeat is 0"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "decode", "repeat": 1e9}]})",
              "steps[0].repeat is 1000000000.0"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "decode", "token": 7}]})",
              "steps[0].token is 7, not a text"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "decode",
                  "sections": [{"name": "a", "us": -1}]}]})",
              "steps[0].sections[0].us is -1"},
        Wrong{R"({"playback": 1, "steps": [{"phase": "decode",
                  "sections": [{"name": "a", "pass": "b"}]}]})",
              R"(steps[0].sections[0].pass is "b", not a plan's name)"},
        Wrong{R"({"playback": 1, "plans": [{"name": "p", "operations": [{"op": "ADD"}]}]})",
              R"(plans[0].operations[0] has no "component")"},
        Wrong{R"({"playback": 1, "model": {"layers": 0}, "steps": [{"phase": "decode"}]})",
              "model.layers is 0"}));

TEST(PlaybackScript, OfAFileThatIsMissingSaysSo) {
  const auto script = read_playback_file("/nowhere/s.playback.json");
  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().code, ErrorCode::not_found);
  EXPECT_THAT(script.error().message, HasSubstr("/nowhere/s.playback.json"));
}

}  // namespace
}  // namespace enprof
