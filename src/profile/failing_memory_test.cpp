// A run whose end runs out of memory, at any place of it.
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "profile/save/run_recovery.hpp"
#include "record/pass_test_support.hpp"
#include "store/step_store.hpp"
#include "support/fake_source.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace {

/// Allocations of this thread until one fails, once; below zero: none does.
thread_local int until_failure = -1;

}  // namespace

// GCC sees that new takes from malloc, and takes the free that goes with it for a mistake.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

// Of the whole test program: what is not counted is as it was.
void* operator new(std::size_t bytes) {
  if (until_failure >= 0) {
    --until_failure;
    if (until_failure < 0) {
      throw std::bad_alloc();
    }
  }
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) {
    return memory;
  }
  throw std::bad_alloc();
}
// As the standard library has it, which a sanitizer replaces by one that does not ask the above.
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace enprof {
namespace {

using namespace std::chrono_literals;

TEST(FailingMemory, AnywhereAtARunsEndLeavesARunThatIsOver) {
  const testing::TempDir dir;
  auto database = ProfileDatabase::connect(dir.path() / "profiles.db");
  ASSERT_TRUE(database);
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::FakeSource>("fake", std::vector<std::string>{"cpu"},
                                                          monotonic_clock(),
                                                          std::make_shared<testing::FakeSensor>()));
  PowerMonitor monitor(std::move(sources));
  InferencePipelineProfiler profiler{
      &monitor, &*database, {.power_interval = 1ms, .save_period = 1h}};
  const auto heard = std::make_shared<std::atomic<int>>(0);
  profiler.on([heard](const Event& event) {
    heard->fetch_add(event.type() == EventType::inference_complete ? 1 : 0);
  });
  int failed = 0;
  bool fired = true;
  for (int allocation = 0; fired; allocation += 1 + allocation / 16) {
    SCOPED_TRACE(allocation);
    RunScope run = profiler.run({.model_name = "m", .depth = Depth::deep, .max_output_tokens = 16});
    const std::uint32_t plan = run.add_plan(testing::small_plan());
    for (int token = 0; token < 2; ++token) {
      TokenScope scope = run.token(Phase::decode);
      PassScope pass = run.pass(plan);
      for (int stamp = 0; stamp < 8; ++stamp) {
        pass.stamp();
      }
      scope.set_text("x");
    }
    until_failure = allocation;
    const ProfiledRun* result = nullptr;
    EXPECT_NO_THROW(result = &run.finish());
    fired = until_failure < 0;
    until_failure = -1;
    ASSERT_NE(result, nullptr);
    const bool without_figures = std::ranges::find(result->warnings, "figures_failed",
                                                   &Warning::code) != result->warnings.end();
    EXPECT_EQ(result->status, without_figures ? RunStatus::failed : RunStatus::completed);
    failed += without_figures ? 1 : 0;
    if (without_figures) {
      EXPECT_GT(result->totals.figure.duration, 0ns);
      const auto stored = database->summary(result->run_id);
      ASSERT_TRUE(stored && *stored);
      EXPECT_EQ((*stored)->status, RunStatus::failed);
    }
  }
  EXPECT_GT(failed, 5);
  EXPECT_GT(*heard, 5);
  static_cast<void>(recover_runs(*database));
  EXPECT_TRUE(StepStore(*database).unfinished_runs()->empty());
  EXPECT_TRUE(database->check()->good());
}

}  // namespace
}  // namespace enprof
