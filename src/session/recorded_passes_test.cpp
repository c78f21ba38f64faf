#include "session/recorded_passes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGood = R"({
  "recorded_passes": 1,
  "models": [{"name": "toy", "begin_ms": 5, "loaded_ms": 20, "layers": 2}],
  "contexts": [{"model": 0, "positions": 512}],
  "plans": [{"operations": [{"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 3000},
                            {"component": "lm_head", "us": 1000}]}],
  "work": [{"kind": "warm_up", "begin_ms": 20, "end_ms": 28}],
  "passes": [{"begin_ms": 40, "plan": 0, "sequences": [[0, 0, 12, 1]]},
             {"begin_ms": 50, "end_ms": 58, "sequences": [[0, 12, 1, 1], [1, 0, 9, 1]]}]
})";

Instant at_ms(double ms) { return Instant{from_ms(ms)}; }

std::string why(const std::string& text) {
  const auto read = parse_recorded_passes(text, "x.json");
  return read ? "nothing" : read.error().message;
}

TEST(RecordedPasses, AreRead) {
  const auto read = parse_recorded_passes(kGood, "x.json");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->passes.passes.size(), 2U);
  EXPECT_EQ(read->passes.passes[0].end, at_ms(44));
  EXPECT_EQ(read->passes.passes[0].stamp_count, 2U);
  EXPECT_EQ(read->passes.passes[1].state, PassState::discarded);
  EXPECT_EQ(read->passes.sequences.size(), 3U);
  EXPECT_EQ(read->models[0].loaded, at_ms(20));
  EXPECT_EQ(read->work[0].kind, CapturedWorkKind::warm_up);
}

TEST(RecordedPasses, AreMovedToWhereTheProgramBegan) {
  const auto read = parse_recorded_passes(kGood, "x.json");
  ASSERT_TRUE(read);
  const CaptureRecording moved = moved_to(*read, at_ms(1000), at_ms(1050));
  ASSERT_EQ(moved.passes.passes.size(), 1U);  // the second ends too late
  EXPECT_EQ(moved.passes.passes[0].begin, at_ms(1040));
  EXPECT_EQ(moved.context_of.size(), 1U);
  EXPECT_EQ(moved.models[0].begin, at_ms(1005));
  EXPECT_EQ(moved.work[0].end, at_ms(1028));
}

TEST(RecordedPasses, AWrongFileIsRefusedWithItsPlace) {
  EXPECT_THAT(why("{}"), HasSubstr("does not begin with \"recorded_passes\": 1"));
  EXPECT_THAT(why("passes"), HasSubstr("x.json holds no recorded passes"));
  EXPECT_THAT(why(R"({"recorded_passes":1,"passes":[{"begin_ms":1,"plan":0}]})"),
              HasSubstr("passes[0].plan"));
  EXPECT_THAT(why(R"({"recorded_passes":1,"passes":[{"begin_ms":1}]})"),
              HasSubstr("passes[0] has no \"end_ms\""));
  EXPECT_THAT(why(R"({"recorded_passes":1,"passes":[{"begin_ms":5,"end_ms":6},
                                                   {"begin_ms":4,"end_ms":6}]})"),
              HasSubstr("passes[1].begin_ms"));
  EXPECT_THAT(
      why(R"({"recorded_passes":1,"passes":[{"begin_ms":5,"end_ms":6,"sequences":[[0,0,1]]}]})"),
      HasSubstr("passes[0].sequences[0]"));
  EXPECT_THAT(
      why(R"({"recorded_passes":1,"passes":[{"begin_ms":5,"end_ms":6,"sequences":[[0,0,1,2]]}]})"),
      HasSubstr("passes[0].sequences[0][3]"));
  EXPECT_THAT(why(R"({"recorded_passes":1,"work":[{"kind":"naps","begin_ms":1,"end_ms":2}]})"),
              HasSubstr("work[0].kind"));
  EXPECT_THAT(why(R"({"recorded_passes":1,"pass":[]})"), HasSubstr("pass"));
}

TEST(RecordedPasses, AFileThatIsMissingIsSaid) {
  const auto read = read_recorded_passes("/nowhere/passes.json");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::not_found);
  EXPECT_THAT(read.error().message, HasSubstr("/nowhere/passes.json"));
}

}  // namespace
}  // namespace enprof
