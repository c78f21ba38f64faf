#include "profile/capture/request_texts.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace enprof {
namespace {

/// Token N reads "N,". Passes of one context, and what a request finder makes of them.
class RequestTexts : public ::testing::Test {
 protected:
  RequestTexts() {
    recording_.contexts = {{.model = 3, .positions = 64}};
    recording_.text_of_token = [](std::uint32_t model, std::int32_t token) {
      return model == 3 ? std::to_string(token) + "," : "another model";
    };
  }

  void pass(const std::vector<BatchSequence>& batch, const std::vector<std::int32_t>& tokens) {
    finder_.add(static_cast<std::uint32_t>(recording_.passes.passes.size()), 0, batch);
    recording_.add_pass(0, {}, {}, batch, tokens);
  }
  /// One sequence alone; the logits of its last token are wanted, or of all where it is a draft.
  void one(std::int32_t position, const std::vector<std::int32_t>& tokens, bool is_draft = false) {
    const auto count = static_cast<std::uint32_t>(tokens.size());
    pass({{.id = 0, .first_position = position, .tokens = count, .outputs = is_draft ? count : 1}},
         tokens);
  }
  /// A pass of a sequence whose tokens nobody told.
  void untold(std::int32_t position, std::uint32_t count) {
    const std::vector<BatchSequence> batch{
        {.id = 0, .first_position = position, .tokens = count, .outputs = 1}};
    pass(batch, {});
  }
  std::vector<RequestText> texts() { return texts_of(recording_, finder_.finish()); }

  CaptureRecording recording_;
  RequestFinder finder_{recording_.contexts};
};

using Outputs = std::vector<std::string>;

TEST_F(RequestTexts, APromptAndWhatWasComputedWithOfTheAnswer) {
  one(0, {1, 2, 3});
  one(3, {4});
  one(4, {5});
  const auto found = texts();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt, "1,2,3,");
  EXPECT_EQ(found[0].outputs, (Outputs{"4,", "5,"})) << "the third was never computed with";
}

TEST_F(RequestTexts, SequencesInOneBatch) {
  pass({{.id = 0, .first_position = 0, .tokens = 2, .outputs = 1},
        {.id = 5, .first_position = 0, .tokens = 3, .outputs = 1}},
       {1, 2, 11, 12, 13});
  pass({{.id = 0, .first_position = 2, .tokens = 1, .outputs = 1},
        {.id = 5, .first_position = 3, .tokens = 1, .outputs = 1}},
       {3, 14});
  const auto found = texts();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].prompt, "1,2,");
  EXPECT_EQ(found[0].outputs, Outputs{"3,"});
  EXPECT_EQ(found[1].prompt, "11,12,13,");
  EXPECT_EQ(found[1].outputs, Outputs{"14,"});
}

TEST_F(RequestTexts, WhatWasCachedIsOfTheRequestBefore) {
  one(0, {1, 2, 3});
  one(3, {4});
  one(2, {8, 9});  // the first two are cached
  const auto found = texts();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].prompt, "1,2,8,9,");
}

TEST_F(RequestTexts, WhatIsNotKnownIsMarked) {
  one(2, {8, 9});  // the cache came from elsewhere
  untold(4, 1);
  one(5, {3});
  auto found = texts();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].prompt, "…8,9,");
  EXPECT_TRUE(found[0].outputs.empty()) << "what comes after a gap has no place";
}

TEST_F(RequestTexts, WithoutAnyTokenThereIsNoText) {
  untold(0, 4);
  untold(4, 1);
  EXPECT_EQ(texts(), std::vector<RequestText>{{}});
}

TEST_F(RequestTexts, WithoutAVocabularyThereAreNoTexts) {
  one(0, {1, 2, 3});
  recording_.text_of_token = nullptr;
  EXPECT_TRUE(texts().empty());
}

TEST_F(RequestTexts, RejectedDraftsAreNotInTheAnswer) {
  one(0, {1, 2, 3});
  one(3, {4, 5, 6}, true);  // 5 is accepted, 6 is not
  one(5, {7});
  one(6, {8});
  const auto found = texts();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].outputs, (Outputs{"4,", "5,", "7,", "8,"}));
}

TEST_F(RequestTexts, AShiftedContextGoesOn) {
  one(0, std::vector<std::int32_t>(62, 100));
  one(62, {1});
  one(63, {2});
  one(40, {3});  // the context was full: it was shifted
  one(41, {4});
  auto found = texts();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].outputs, (Outputs{"1,", "2,", "3,", "4,"}));
}

}  // namespace
}  // namespace enprof
