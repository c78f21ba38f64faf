#include "profile/meter/run_slicer.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "record/pass_test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

using testing::at_ms;

/// Feeds a slicer with a recording as its recorders would have: spans that begin are told open, and
/// again when they are over.
class RunSlicerTest : public ::testing::Test {
 protected:
  RunSlicerTest() {
    slicer_.begin(at_ms(0));
    slicer_.add_plan(0, testing::small_plan());
  }

  /// What happened in (from, to].
  void tell(Instant from, Instant to) {
    for (std::size_t index = 0; index < run_.spans.size(); ++index) {
      const Span& span = run_.spans[index];
      if (span.begin > to || span.end <= from) {
        continue;
      }
      slicer_.add(SpanRecord{
          .index = static_cast<std::int32_t>(index), .open = span.end > to, .span = span});
    }
    for (std::size_t index = 0; index < run_.passes.passes.size(); ++index) {
      const PassRecord& pass = run_.passes.passes[index];
      if (pass.end > from && pass.end <= to) {
        slicer_.add(PassTicket{.pass = pass,
                               .index = static_cast<std::int32_t>(index),
                               .stamps = run_.passes.stamps.data() + pass.first_stamp,
                               .count = 8});
      }
    }
  }

  ProfiledRun assemble() const {
    ProfiledRun piece;
    piece.depth = Depth::module;
    assemble_run(slicer_.slice(), power(), piece);
    return piece;
  }

  static PowerEvidence power() {
    PowerEvidence result;
    result.domains = {domain_from_name("cpu")};
    result.windows = testing::small_power();
    return result;
  }

  Recording run_ = testing::small_recording();
  RunSlicer slicer_;
};

TEST_F(RunSlicerTest, NothingIsGivenOutBeforeATokenIsOverAndMeasured) {
  tell(at_ms(-1), at_ms(69));
  EXPECT_FALSE(slicer_.cut(at_ms(69)));
  tell(at_ms(69), at_ms(75));
  EXPECT_FALSE(slicer_.cut(at_ms(69)));  // over, but the sensors have not got there
  EXPECT_TRUE(slicer_.cut(at_ms(75)));
  EXPECT_FALSE(slicer_.cut(at_ms(75)));  // once
}

TEST_F(RunSlicerTest, SlicesOfARunAddUpToTheRun) {
  ProfiledRun whole;
  whole.depth = Depth::module;
  assemble_run(run_, power(), whole);

  tell(at_ms(-1), at_ms(75));
  ASSERT_TRUE(slicer_.cut(at_ms(75)));
  EXPECT_EQ(slicer_.first_token(), 0U);
  const ProfiledRun first = assemble();
  EXPECT_EQ(first.totals.figure.duration, from_ms(70));
  ASSERT_EQ(first.tokens.size(), 1U);

  tell(at_ms(75), at_ms(100));
  ASSERT_TRUE(slicer_.cut(at_ms(100)));
  EXPECT_EQ(slicer_.first_token(), 1U);
  const ProfiledRun second = assemble();
  ASSERT_EQ(second.tokens.size(), 1U);

  const auto joules = [](const auto& figure) { return figure.figure.total->value(); };
  EXPECT_NEAR(joules(first.tokens[0]), joules(whole.tokens[0]), 1e-9);
  EXPECT_NEAR(joules(second.tokens[0]), joules(whole.tokens[1]), 1e-9);
  double of_pieces = 0.0;
  double of_whole = 0.0;
  std::size_t count = 0;
  for (const ProfiledRun* piece : {&first, &second}) {
    for (const LayerFigure& layer : piece->layers) {
      of_pieces += joules(layer);
      count += layer.count;
    }
  }
  for (const LayerFigure& layer : whole.layers) {
    of_whole += joules(layer);
    count -= layer.count;
  }
  // Of what each kind of work draws, a slice knows less than the run: tokens keep their energies.
  EXPECT_NEAR(of_pieces, of_whole, 0.05 * of_whole);
  EXPECT_EQ(count, 0U);
}

TEST_F(RunSlicerTest, ALostRecordCostsWhatItContainsNoMore) {
  tell(at_ms(-1), at_ms(35));
  const auto lost = [&](const Span& span) { return span.level == Level::section; };
  for (std::size_t index = 0; index < run_.spans.size(); ++index) {
    const Span& span = run_.spans[index];
    if (span.begin >= at_ms(40) && !lost(span)) {
      slicer_.add(
          SpanRecord{.index = static_cast<std::int32_t>(index), .open = false, .span = span});
    }
  }
  for (const PassRecord& pass : run_.passes.passes) {
    slicer_.add(PassTicket{
        .pass = pass, .stamps = run_.passes.stamps.data() + pass.first_stamp, .count = 8});
  }
  ASSERT_TRUE(slicer_.cut(at_ms(100)));
  const ProfiledRun piece = assemble();
  EXPECT_EQ(piece.tokens.size(), 2U);
  for (const LayerFigure& layer : piece.layers) {
    EXPECT_EQ(layer.phase, Phase::prefill);  // whose section was told
  }
}

TEST_F(RunSlicerTest, APassWithoutStampsIsKeptWithItsTime) {
  run_.passes.passes[1].state = PassState::mismatched;
  tell(at_ms(-1), at_ms(100));
  ASSERT_TRUE(slicer_.cut(at_ms(100)));
  const ProfiledRun piece = assemble();
  EXPECT_TRUE(std::ranges::any_of(piece.components, [](const ComponentFigure& component) {
    return component.component == kUntimedComponent;
  }));
}

}  // namespace
}  // namespace enprof
