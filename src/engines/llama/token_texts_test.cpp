#include "engines/llama/token_texts.hpp"

#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace enprof {
namespace {

TEST(TokenTexts, AModelsTokensAreRead) {
  const testing::TempDir directory;
  const auto model = testing::make_model(testing::tiny_shape(directory.path() / "tiny.gguf"));
  const auto texts = TokenTexts::open(model);
  ASSERT_TRUE(texts) << texts.error().message;
  EXPECT_EQ(texts->text_of(15043), " Hello");
  EXPECT_EQ(texts->text_of(1), "") << "the begin of a text adds nothing to it";
  EXPECT_EQ(texts->text_of(-1), "");
  EXPECT_EQ(texts->text_of(1'000'000), "");
}

TEST(TokenTexts, WhatIsNoModelIsAnError) {
  const testing::TempDir directory;
  EXPECT_EQ(TokenTexts::open(directory.path() / "missing.gguf").error().code, ErrorCode::not_found);
  std::ofstream(directory.path() / "no.gguf") << "not a model";
  EXPECT_EQ(TokenTexts::open(directory.path() / "no.gguf").error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace enprof
