#include "profile/capture/request_finder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using What = ToldMemory::What;

/// Adds passes one after the other.
class Passes {
 public:
  explicit Passes(std::vector<CapturedContext> contexts = {{.model = 0, .positions = 512}})
      : contexts_(std::move(contexts)) {}

  Passes& pass(std::vector<BatchSequence> batch, std::uint32_t context = 0) {
    finder_.add(next_++, context, batch);
    return *this;
  }
  /// One sequence alone.
  Passes& one(std::int32_t position, std::uint32_t tokens, std::uint32_t outputs = 1,
              std::int32_t id = 0) {
    return pass({{.id = id, .first_position = position, .tokens = tokens, .outputs = outputs}});
  }
  Passes& change(ToldMemory change, std::uint32_t context = 0) {
    finder_.add_change(context, change);
    return *this;
  }
  /// Removes what a sequence has from a position on.
  Passes& cut(std::int32_t from, std::int32_t id = 0) {
    return change({.what = What::remove, .sequence = id, .from = from});
  }
  Passes& decode(std::int32_t from, std::int32_t count, std::int32_t id = 0) {
    for (std::int32_t position = from; position < from + count; ++position) {
      one(position, 1, 1, id);
    }
    return *this;
  }
  std::vector<FoundRequest> found() { return finder_.finish(); }
  RequestFinder& finder() { return finder_; }

 private:
  std::vector<CapturedContext> contexts_;
  RequestFinder finder_{contexts_};
  std::uint32_t next_ = 0;
};

TEST(RequestFinder, APromptInPartsAndItsTokensAreOneRequest) {
  const auto found = Passes().one(0, 128, 0).one(128, 32).decode(160, 9).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt_tokens, 160U);
  EXPECT_EQ(found[0].cached_tokens, 0U);
  EXPECT_EQ(found[0].output_tokens, 10U);
  EXPECT_EQ(found[0].parts.size(), 11U);
  EXPECT_TRUE(found[0].parts[1].is_prompt);
  EXPECT_EQ(found[0].parts[1].outputs, 1U);
  EXPECT_FALSE(found[0].parts[2].is_prompt);
}

TEST(RequestFinder, ASlotIsUsedAgain) {
  const auto found = Passes().one(0, 20).decode(20, 3).one(0, 30).decode(30, 5).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].output_tokens, 4U);
  EXPECT_EQ(found[1].prompt_tokens, 30U);
  EXPECT_EQ(found[1].output_tokens, 6U);
  EXPECT_THAT(found[1].how, HasSubstr("began again"));
}

TEST(RequestFinder, ACachedPrefixIsNotComputed) {
  // The same beginning of 18 tokens, 12 new ones; then a prompt that is cached but for one token.
  const auto found =
      Passes().one(0, 20).decode(20, 3).one(18, 12).decode(30, 2).one(17, 1).decode(18, 4).found();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[1].cached_tokens, 18U);
  EXPECT_EQ(found[1].prompt_tokens, 12U);
  EXPECT_EQ(found[2].cached_tokens, 17U);
  EXPECT_EQ(found[2].prompt_tokens, 1U);
  EXPECT_EQ(found[2].output_tokens, 5U);
}

TEST(RequestFinder, TheNextTurnOfAChatContinuesTheCache) {
  const auto found = Passes().one(0, 20).decode(20, 3).one(23, 15).decode(38, 4).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].cached_tokens, 23U);
  EXPECT_EQ(found[1].prompt_tokens, 15U);
}

TEST(RequestFinder, RejectedDraftsAreNotTokensOfTheAnswer) {
  // 4 draft tokens: 2 accepted and one sampled; then 4, all accepted; then one alone.
  const auto found = Passes().one(0, 20).one(20, 5, 5).one(23, 5, 5).one(28, 1).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].output_tokens, 1U + 3U + 5U + 1U);
  EXPECT_EQ(found[0].rejected_tokens, 2U);
  EXPECT_EQ(found[0].parts[1].outputs, 3U);
  EXPECT_EQ(found[0].parts[2].outputs, 5U);
}

TEST(RequestFinder, HowTheLastDraftEndedIsNotKnown) {
  const auto found = Passes().one(0, 20).one(20, 5, 5).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].output_tokens, 2U);
  EXPECT_THAT(found[0].how, HasSubstr("last draft of 4 tokens"));
}

TEST(RequestFinder, AFullContextIsShifted) {
  const auto found = Passes().one(0, 500).decode(500, 11).decode(256, 20).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].context_shifts, 1U);
  EXPECT_EQ(found[0].output_tokens, 32U);
}

TEST(RequestFinder, WithoutAKnownSizeAShiftIsAGuessThatIsSaid) {
  const auto found = Passes(std::vector<CapturedContext>{{.model = 0, .positions = {}}})
                         .one(0, 100)
                         .decode(100, 11)
                         .decode(60, 5)
                         .found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].context_shifts, 1U);
  EXPECT_THAT(found[0].how, HasSubstr("taken for a shift"));
}

TEST(RequestFinder, AStepBackOfASequenceThatIsNotFullIsAnotherRequest) {
  const auto found = Passes().one(0, 100).decode(100, 11).decode(60, 5).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].cached_tokens, 60U);
}

TEST(RequestFinder, APromptThatIsCachedButForOneTokenIsToldByTheCutBeforeIt) {
  const auto found = Passes().one(0, 20).decode(20, 3).cut(23).one(23, 1).decode(24, 2).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].output_tokens, 4U);
  EXPECT_EQ(found[1].cached_tokens, 23U);
  EXPECT_EQ(found[1].prompt_tokens, 1U);
  EXPECT_EQ(found[1].output_tokens, 3U);
}

TEST(RequestFinder, ACutBetweenAllTokensIsAHabit) {
  Passes before_each;  // as programs do that check drafts, while they have none
  before_each.one(0, 20);
  for (std::int32_t position = 20; position < 26; ++position) {
    before_each.cut(position).one(position, 1);
  }
  EXPECT_EQ(before_each.found().size(), 1U);
  Passes after_each;
  after_each.one(0, 20);
  for (std::int32_t position = 20; position < 26; ++position) {
    after_each.one(position, 1).cut(position + 1);
  }
  EXPECT_EQ(after_each.found().size(), 1U);
}

TEST(RequestFinder, APromptInPartsIsCutBeforeEach) {
  const auto found = Passes().cut(0).one(0, 128, 0).cut(128).one(128, 32).decode(160, 2).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt_tokens, 160U);
}

TEST(RequestFinder, ACutInAFullContextIsNoShift) {
  const auto found = Passes().one(0, 500).decode(500, 11).cut(499).one(499, 1).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].context_shifts, 0U);
  EXPECT_EQ(found[1].cached_tokens, 499U);
  EXPECT_THAT(found[1].how, HasSubstr("cut its sequence"));
}

TEST(RequestFinder, AShiftThatIsToldNeedsNoFullContext) {
  const auto shift = [](std::int32_t from, std::int32_t to) {
    return ToldMemory{.what = What::add, .sequence = 0, .from = from, .to = to, .delta = -30};
  };
  const auto found = Passes(std::vector<CapturedContext>{{.model = 0, .positions = {}}})
                         .one(0, 100)
                         .decode(100, 10)
                         .change({.what = What::remove, .sequence = 0, .from = 10, .to = 40})
                         .change(shift(40, 110))
                         .decode(80, 5)
                         .found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].context_shifts, 1U);
  EXPECT_EQ(found[0].output_tokens, 16U);
  EXPECT_EQ(found[0].how, "the first tokens of its sequence") << "nothing was guessed";
}

TEST(RequestFinder, PositionsThatAreMovedForAnotherPromptAreNoShift) {
  // A part of the cache that is found further on in the next prompt is moved to its place.
  const auto found =
      Passes()
          .one(0, 100)
          .decode(100, 10)
          .change({.what = What::remove, .sequence = 0, .from = 10, .to = 40})
          .change({.what = What::add, .sequence = 0, .from = 40, .to = 110, .delta = -30})
          .cut(80)
          .one(80, 7)
          .found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].context_shifts, 0U);
  EXPECT_EQ(found[1].cached_tokens, 80U);
}

TEST(RequestFinder, HowTheLastDraftEndedIsToldByItsCut) {
  // Of 4 draft tokens 1 is accepted; then another prompt comes, which continues what is kept.
  const auto found = Passes().one(0, 20).one(20, 5, 5).cut(22).cut(22).one(22, 6).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].output_tokens, 3U);
  EXPECT_EQ(found[0].rejected_tokens, 3U);
  EXPECT_EQ(found[0].how, "the first tokens of its sequence");
}

TEST(RequestFinder, ACutBehindADraftIsNoRequest) {
  const auto found =
      Passes().one(0, 20).one(20, 1).one(21, 4, 4).cut(25).one(25, 4, 4).cut(27).one(27, 1).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].output_tokens, 1U + 1U + 4U + 2U + 1U);
  EXPECT_EQ(found[0].rejected_tokens, 2U);
}

TEST(RequestFinder, AWarmUpThatIsClearedIsNoRequestEvenIfNoneFollows) {
  Passes passes;
  passes.one(0, 2).change({.what = What::clear});
  EXPECT_EQ(passes.finder().warm_ups(), std::vector<std::uint32_t>{0});
  passes.one(0, 2).change({.what = What::clear});
  EXPECT_EQ(passes.finder().warm_ups().size(), 2U) << "llama-server's trial of a cut";
  passes.one(0, 2).change({.what = What::clear}).one(0, 2);
  EXPECT_EQ(passes.found().size(), 2U) << "a program warms up no more often";
}

TEST(RequestFinder, WhoseSequenceIsRemovedIsNotInFlight) {
  Passes passes;
  passes.pass({{.id = 0, .first_position = 0, .tokens = 10, .outputs = 1},
               {.id = 1, .first_position = 0, .tokens = 7, .outputs = 1}});
  passes.cut(-1, 1);
  EXPECT_EQ(passes.finder().in_flight(0).size(), 1U);
  passes.change({.what = What::remove, .sequence = -1});
  EXPECT_EQ(passes.finder().in_flight(0).size(), 0U);
}

TEST(RequestFinder, ChangesThatMakeNoSenseDecideNothing) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  Passes passes;
  passes.one(0, 20).decode(20, 2);
  passes.change({.what = What::clear}, 77).cut(0, 5);
  passes.change({.what = What::divide, .sequence = 0, .delta = 0});
  passes.change({.what = What::add, .sequence = 0, .delta = kMost});
  passes.change({.what = What::add, .sequence = 0, .delta = kMost});
  passes.change({.what = What::add, .sequence = 0, .delta = -kMost - 1});
  passes.change({.what = What::keep, .sequence = 0});
  passes.change({.what = What::copy, .sequence = 0, .destination = 0});
  EXPECT_EQ(passes.found().size(), 1U);
}

TEST(RequestFinder, SequencesOfOneBatchAreRequestsOfTheirOwn) {
  Passes passes;
  passes.pass({{.id = 0, .first_position = 0, .tokens = 10, .outputs = 1},
               {.id = 1, .first_position = 0, .tokens = 7, .outputs = 1}});
  for (std::int32_t step = 0; step < 3; ++step) {
    passes.pass({{.id = 0, .first_position = 10 + step, .tokens = 1, .outputs = 1},
                 {.id = 1, .first_position = 7 + step, .tokens = 1, .outputs = 1}});
  }
  EXPECT_EQ(passes.finder().in_flight(0).size(), 2U);
  const auto found = passes.found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].sequence, 0);
  EXPECT_EQ(found[1].sequence, 1);
  EXPECT_EQ(found[1].parts[0].place, 1U);
  EXPECT_EQ(found[1].output_tokens, 4U);
}

TEST(RequestFinder, ASequenceThatBeginsLaterHasItsPromptElsewhere) {
  const auto found = Passes().one(0, 40).decode(40, 2).decode(40, 3, 5).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].cached_tokens, 40U);
  EXPECT_THAT(found[1].how, HasSubstr("position 40"));
}

TEST(RequestFinder, ContextsHaveSequencesOfTheirOwn) {
  Passes passes({{.model = 0, .positions = 512}, {.model = 1, .positions = 512}});
  passes.pass({{.id = 0, .first_position = 0, .tokens = 9, .outputs = 1}}, 0)
      .pass({{.id = 0, .first_position = 0, .tokens = 9, .outputs = 1}}, 1)
      .pass({{.id = 0, .first_position = 9, .tokens = 1, .outputs = 1}}, 0);
  const auto found = passes.found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].output_tokens, 2U);
  EXPECT_EQ(found[1].context, 1U);
}

TEST(RequestFinder, AServerThatWarmsUpAndTriesToCutHasNoRequestYet) {
  const auto found = Passes()
                         .one(0, 2)
                         .change({.what = What::clear})
                         .one(0, 2)
                         .cut(1)
                         .change({.what = What::clear})
                         .cut(0)
                         .one(0, 10)
                         .decode(10, 3)
                         .found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt_tokens, 10U);
  EXPECT_EQ(found[0].output_tokens, 4U);
}

TEST(RequestFinder, AWarmUpIsNoRequest) {
  Passes passes;
  passes.one(0, 2).one(0, 20).decode(20, 2);
  EXPECT_EQ(passes.finder().warm_ups(), std::vector<std::uint32_t>{0});
  const auto found = passes.found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt_tokens, 20U);
}

TEST(RequestFinder, AnEmbeddingHasNoOutputTokens) {
  const auto found = Passes().one(0, 16, 16).one(0, 12, 12).found();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].prompt_tokens, 16U);
  EXPECT_EQ(found[0].output_tokens, 0U);
}

TEST(RequestFinder, APromptOfWhichAllIsWantedMayHaveAnAnswer) {
  const auto found = Passes().one(0, 16, 16).decode(16, 3).found();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt_tokens, 16U);
  EXPECT_EQ(found[0].output_tokens, 4U);
}

TEST(RequestFinder, WhatMakesNoSenseIsStillCounted) {
  Passes passes(std::vector<CapturedContext>{});
  passes.one(-5, 3).one(1'000'000, 1).one(0, 0).pass({}, 77).one(2, 70, 70);
  const auto found = passes.found();
  std::size_t parts = 0;
  for (const FoundRequest& request : found) {
    parts += request.parts.size();
  }
  EXPECT_EQ(parts, 3U);
}

}  // namespace
}  // namespace enprof
