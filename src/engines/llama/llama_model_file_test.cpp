#include "engines/llama/llama_model_file.hpp"

#include "engines/llama/llama_engine.hpp"
#include "engines/llama/tiny_model_test_support.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace enprof {
namespace {

class LlamaModelFileTest : public ::testing::Test {
 protected:
  const testing::TempDir directory_;
};

TEST_F(LlamaModelFileTest, SaysItsContextAndIsLoadedWithoutBeingReadAgain) {
  const auto path = testing::make_model(testing::tiny_shape(directory_.path() / "m.gguf"));
  auto file = LlamaModelFile::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->trained_context(), 128);
  const auto engine = LlamaEngine::load(*std::move(file), {.warm_up = false});
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine->facts().layers, 2);
  EXPECT_EQ(engine->facts().path, LlamaEngine::load(path, {.warm_up = false})->facts().path);
  EXPECT_GT(engine->facts().load_time, Nanoseconds{0});
}

TEST_F(LlamaModelFileTest, WhatIsNoModelIsAnError) {
  const auto file = LlamaModelFile::open(directory_.write("m.gguf", "GGML"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace enprof
