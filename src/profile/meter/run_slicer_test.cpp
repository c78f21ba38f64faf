#include "profile/meter/run_slicer.hpp"

#include "profile/assemble/run_assembler.hpp"
#include "record/pass_test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

using testing::at_ms;

/// Gives a slicer the records of a recording as the recorders push them: a span when it begins, and
/// again when it has ended.
class RunSlicerTest : public ::testing::Test {
 protected:
  RunSlicerTest() {
    slicer_.begin(at_ms(0), run_.passes.view());
    slicer_.add_plan(0, run_.passes.plans[0]);
  }

  /// Adds the records of (from, to].
  void add_records(Instant from, Instant to) {
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
        slicer_.add(PassEntry{.pass = pass, .index = static_cast<std::int32_t>(index)});
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
    result.windows = {testing::small_power()};
    return result;
  }

  Recording run_ = testing::small_recording();
  RunSlicer slicer_;
};

TEST_F(RunSlicerTest, ThereIsNoSliceBeforeATokenHasEndedAndIsMeasured) {
  add_records(at_ms(-1), at_ms(69));
  EXPECT_FALSE(slicer_.cut(at_ms(69)));
  add_records(at_ms(69), at_ms(75));
  EXPECT_FALSE(slicer_.cut(at_ms(69)));  // it has ended, but is not measured to its end
  EXPECT_TRUE(slicer_.cut(at_ms(75)));
  EXPECT_FALSE(slicer_.cut(at_ms(75)));  // a token is in one slice only
}

TEST_F(RunSlicerTest, SlicesOfARunAddUpToTheRun) {
  ProfiledRun whole;
  whole.depth = Depth::module;
  assemble_run(run_.view(), power(), whole);

  add_records(at_ms(-1), at_ms(75));
  ASSERT_TRUE(slicer_.cut(at_ms(75)));
  EXPECT_EQ(slicer_.first_token(), 0U);
  const ProfiledRun first = assemble();
  EXPECT_EQ(first.totals.figure.duration, from_ms(70));
  ASSERT_EQ(first.tokens.size(), 1U);

  add_records(at_ms(75), at_ms(100));
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
  // Attribution within a token may differ, because a slice has fewer windows to fit the power of
  // classes to; the tokens' energies are the same.
  EXPECT_NEAR(of_pieces, of_whole, 0.05 * of_whole);
  EXPECT_EQ(count, 0U);
}

TEST_F(RunSlicerTest, ALostRecordCostsOnlyTheSpansAndPassesInIt) {
  add_records(at_ms(-1), at_ms(35));
  const auto lost = [&](const Span& span) { return span.level == Level::section; };
  for (std::size_t index = 0; index < run_.spans.size(); ++index) {
    const Span& span = run_.spans[index];
    if (span.begin >= at_ms(40) && !lost(span)) {
      slicer_.add(
          SpanRecord{.index = static_cast<std::int32_t>(index), .open = false, .span = span});
    }
  }
  for (const PassRecord& pass : run_.passes.passes) {
    slicer_.add(PassEntry{.pass = pass});
  }
  ASSERT_TRUE(slicer_.cut(at_ms(100)));
  const ProfiledRun piece = assemble();
  EXPECT_EQ(piece.tokens.size(), 2U);
  for (const LayerFigure& layer : piece.layers) {
    EXPECT_EQ(layer.phase, Phase::prefill);  // its section's record was not lost
  }
}

TEST_F(RunSlicerTest, APassWithoutStampsIsKeptWithItsTime) {
  run_.passes.passes[1].state = PassState::mismatched;
  add_records(at_ms(-1), at_ms(100));
  ASSERT_TRUE(slicer_.cut(at_ms(100)));
  const ProfiledRun piece = assemble();
  EXPECT_TRUE(std::ranges::any_of(piece.components, [](const ComponentFigure& component) {
    return component.component == kUntimedComponent;
  }));
}

}  // namespace
}  // namespace enprof
