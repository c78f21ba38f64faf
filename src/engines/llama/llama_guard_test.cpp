#include "engines/llama/llama_guard.hpp"

#include "engines/llama/llama_log.hpp"

#include <ggml-cpu.h>
#include <ggml.h>
#include <gmock/gmock.h>

#include <new>
#include <stdexcept>

// Memory that llama.cpp has allocated is lost when one of its assertions fails, because the guard
// leaves its code by an exception.
#if defined(__SANITIZE_ADDRESS__)
// NOLINTNEXTLINE(bugprone-reserved-identifier): that is what the sanitizer looks for
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:ggml_init\nleak:ggml_aligned_malloc\n";
}
#endif

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

TEST(LlamaGuardDeathTest, WithoutAGuardTheProgramEndsAndSaysWhy) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  start_llama();
  EXPECT_EXIT(ggml_abort("/some/where/file.c", 3, "broken"), ::testing::ExitedWithCode(1),
              "enprof: error: llama.cpp gave up: file.c:3: broken");
}

/// A graph in which one thread fails while the others wait for it.
TEST(LlamaGuardDeathTest, AThreadThatComputesWithOthersEndsTheProgramAndSaysWhy) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  start_llama();
  const auto compute = [] {
    const LlamaGuard guard(LlamaGuard::Threads::many);
    ggml_init_params params{.mem_size = 1U << 20U, .mem_buffer = nullptr, .no_alloc = false};
    ggml_context* context = ggml_init(params);
    ggml_tensor* rows = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 64);
    ggml_tensor* normed = ggml_rms_norm(context, rows, -1.0F);  // which ggml asserts on
    ggml_cgraph* graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, normed);
    ggml_graph_compute_with_ctx(context, graph, 2);
  };
  EXPECT_EXIT(compute(), ::testing::ExitedWithCode(1), "llama.cpp gave up: .*eps >= 0");
}

TEST(LlamaGuard, AGraphThatOneThreadComputesComesBackAsAnError) {
  start_llama();
  const auto failed = guarded([] {
    ggml_init_params params{.mem_size = 1U << 20U, .mem_buffer = nullptr, .no_alloc = false};
    ggml_context* context = ggml_init(params);
    ggml_tensor* rows = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 64);
    ggml_tensor* normed = ggml_rms_norm(context, rows, -1.0F);
    ggml_cgraph* graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, normed);
    ggml_graph_compute_with_ctx(context, graph, 1);
  });
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("eps >= 0"));
}

}  // namespace
}  // namespace enprof
