#include "engines/llama/llama_guard.hpp"

#include "engines/llama/llama_log.hpp"

#include <ggml.h>
#include <gmock/gmock.h>

#include <new>
#include <stdexcept>

namespace enprof {
namespace {

using ::testing::HasSubstr;

TEST(LlamaGuard, PassesResultsThrough) {
  EXPECT_EQ(guarded([] { return 7; }).value(), 7);
  EXPECT_TRUE(guarded([] {}));
}

TEST(LlamaGuard, TurnsExceptionsIntoErrors) {
  const auto failed = guarded([]() -> int { throw std::runtime_error("tensor lost"); });
  EXPECT_EQ(failed.error().code, ErrorCode::internal);
  EXPECT_THAT(failed.error().message, HasSubstr("tensor lost"));
  const auto starved = guarded([]() -> int { throw std::bad_alloc(); });
  EXPECT_EQ(starved.error().code, ErrorCode::too_large);
}

TEST(LlamaGuard, TurnsAFailedAssertionIntoAnError) {
  start_llama();
  // Thrown through ggml's C code.
  const auto failed =
      guarded([] { ggml_abort("/some/where/file.c", 3, "GGML_ASSERT(%s) failed", "x > 0"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::internal);
  EXPECT_EQ(failed.error().message, "llama.cpp failed: file.c:3: GGML_ASSERT(x > 0) failed");
}

TEST(LlamaGuardDeathTest, WithoutAGuardItStillAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  start_llama();
  EXPECT_DEATH(ggml_abort("/some/where/file.c", 3, "broken"),
               "llama.cpp gave up: file.c:3: broken");
}

}  // namespace
}  // namespace enprof
