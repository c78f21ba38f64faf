#include "record/probe_arena.hpp"

#include "base/command_start.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gtest/gtest.h>

#if defined(ENPROF_PROBE_LIBRARY)

#include <filesystem>
#include <set>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <sys/wait.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

/// What all rings of a process told.
struct Told {
  std::vector<ToldContext> contexts;
  std::vector<ToldGraph> graphs;
  std::vector<ToldPass> passes;
  std::vector<ToldMemory> changes;
  std::string path;
  std::set<pid_t> processes;
};

class Keeper final : public ToldSink {
 public:
  Keeper(Told& told, pid_t pid) : told_(told) { told_.processes.insert(pid); }
  void on_context(const ToldContext& context) override { told_.contexts.push_back(context); }
  void on_text(std::uint32_t, ToldText which, const std::string& piece) override {
    told_.path += which == ToldText::model_path ? piece : "";
  }
  void on_model(std::uint32_t, Instant, Instant) override {}
  void on_graph(std::uint32_t, ToldGraph graph) override {
    told_.graphs.push_back(std::move(graph));
  }
  void on_pass(std::uint32_t, ToldPass pass) override { told_.passes.push_back(std::move(pass)); }
  void on_memory(std::uint32_t, const ToldMemory& memory) override {
    told_.changes.push_back(memory);
  }
  void on_context_end(std::uint32_t, Instant) override {}

 private:
  Told& told_;
};

/// Operations of the fake's graph that the CPU computes: an embedding, and four in each layer.
constexpr std::size_t kOperations = 1 + 2 * 4;

/// Runs a program that uses the fake llama.cpp, with the real probe in it.
class ProbeArenaTest : public ::testing::Test {
 protected:
  void make(std::uint32_t wanted = kProbeWantsOperations) {
    auto arena = ProbeArena::create(
        wanted, [this](pid_t pid) { return std::make_unique<Keeper>(told_, pid); },
        [this](pid_t, const ProbedLibrary& library, const ProbeLosses& losses) {
          libraries_.push_back(library);
          losses_ = losses;
        });
    ASSERT_TRUE(arena) << arena.error().message;
    arena_.emplace(*std::move(arena));
  }
  pid_t start(const std::string& program, std::vector<std::string> words,
              std::vector<std::string> more = {}) {
    words.insert(words.begin(), program);
    more.push_back(std::string{"LD_AUDIT="} + ENPROF_PROBE_LIBRARY);
    more.push_back(std::string{ENPROF_PROBE_ARENA_VARIABLE "="} + arena_->path());
    const auto pid = start_command(program, words, more);
    EXPECT_TRUE(pid) << pid.error().message;
    return pid.value_or(-1);
  }
  /// Returns its exit code, or minus the signal that ended it.
  static int wait(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int run(const std::string& program, std::vector<std::string> words) {
    const int code = wait(start(program, std::move(words)));
    arena_->finish();
    return code;
  }
  [[nodiscard]] std::size_t timed() const {
    std::size_t count = 0;
    for (const ToldPass& pass : told_.passes) {
      count += pass.segments.size() == 1 && pass.segments[0].graph != 0 &&
                       pass.segments[0].ends.size() == kOperations
                   ? 1
                   : 0;
    }
    return count;
  }

  const std::string user_ = ENPROF_LLAMA_USER;
  const std::string late_ = ENPROF_LLAMA_USER_LATE;
  const std::string strange_ = ENPROF_LLAMA_USER_STRANGE;
  const std::string library_ = ENPROF_FAKE_LLAMA;
  std::optional<ProbeArena> arena_;
  Told told_;
  std::vector<ProbedLibrary> libraries_;
  ProbeLosses losses_;
};

TEST_F(ProbeArenaTest, APassHasItsOperationsAndSequences) {
  make();
  ASSERT_EQ(run(user_, {"model", "a/model.gguf", "context", "decode", "4", "decode", "1", "decode",
                        "1", "batch", "remove", "3", "free"}),
            0);
  ASSERT_EQ(told_.passes.size(), 4U);
  EXPECT_EQ(timed(), 4U);
  EXPECT_EQ(told_.passes[0].tokens, 4U);
  EXPECT_EQ(told_.passes[0].outputs, 1U) << "without a list, those of the last token";
  EXPECT_EQ(
      told_.passes[0].sequences,
      (std::vector<BatchSequence>{{.id = 0, .first_position = 0, .tokens = 4, .outputs = 1}}));
  EXPECT_EQ(told_.passes[2].sequences[0].first_position, 5);
  EXPECT_EQ(
      told_.passes[3].sequences,
      (std::vector<BatchSequence>{{.id = 3, .first_position = 10, .tokens = 3, .outputs = 1},
                                  {.id = 7, .first_position = 70, .tokens = 1, .outputs = 1}}));
  EXPECT_EQ(told_.graphs.size(), 2U) << "one for 4 tokens, one for 1; each is told once";
  EXPECT_EQ(told_.graphs[0].tensors[0].op, "GET_ROWS");
  const ToldTensor& down = told_.graphs[0].tensors[10];
  EXPECT_EQ(down.name, "ffn_out-1");
  EXPECT_EQ(told_.graphs[0].tensors[static_cast<std::size_t>(down.sources[0])].name,
            "blk.1.ffn_down.weight");
  EXPECT_EQ(told_.path, "a/model.gguf");
  ASSERT_EQ(told_.changes.size(), 1U);
  EXPECT_EQ(told_.changes[0].what, ToldMemory::What::remove);
  EXPECT_EQ(told_.changes[0].from, 3);
  ASSERT_EQ(libraries_.size(), 1U);
  EXPECT_EQ(libraries_[0].llama_version, "fake 1");
  EXPECT_EQ(std::filesystem::path{libraries_[0].file}.filename(), "libfake_llama.so");
  EXPECT_EQ(losses_, ProbeLosses{});
}

TEST_F(ProbeArenaTest, OneThatIsOpenedLateIsFollowedAndAfterItWasClosedAgain) {
  make();
  ASSERT_EQ(run(late_, {"open", library_, "model", "x", "context", "decode", "2", "free", "close",
                        "open", library_, "model", "x", "context", "decode", "1"}),
            0);
  EXPECT_EQ(told_.passes.size(), 2U);
  EXPECT_EQ(timed(), 2U);
  EXPECT_EQ(told_.passes[1].sequences[0].first_position, 0);
}

TEST_F(ProbeArenaTest, TheProgramsOwnAbortCallbackIsCalledToo) {
  make();
  const pid_t pid =
      start(user_, {"model", "x", "own-abort", "context", "decode", "1", "decode", "1"});
  EXPECT_EQ(wait(pid), 0);
  arena_->finish();
  EXPECT_EQ(timed(), 2U);
}

TEST_F(ProbeArenaTest, AProgramWithAnEvalCallbackIsFollowedAtItsPasses) {
  make();
  ASSERT_EQ(run(user_,
                {"model", "x", "own-eval", "context", "decode", "4", "decode", "1", "evals", "22"}),
            0);
  ASSERT_EQ(told_.passes.size(), 2U);
  EXPECT_EQ(timed(), 0U);
  EXPECT_TRUE(told_.passes[0].has_own_callback);
  EXPECT_EQ(losses_.own_callbacks, 1U);
}

TEST_F(ProbeArenaTest, WhatAGpuComputesIsNotSlowedDown) {
  make();
  ASSERT_EQ(run(user_, {"model", "x", "gpu", "context", "decode", "4", "decode", "1"}), 0);
  EXPECT_EQ(told_.passes.size(), 2U);
  EXPECT_EQ(timed(), 0U);
}

TEST_F(ProbeArenaTest, TokensAreToldWhereTheyAreWanted) {
  make(kProbeWantsTokens);
  ASSERT_EQ(run(user_, {"model", "x", "context", "decode", "13", "batch"}), 0);
  ASSERT_EQ(told_.passes.size(), 2U);
  ASSERT_EQ(told_.passes[0].token_ids.size(), 13U);
  EXPECT_EQ(told_.passes[0].token_ids[12], 112);
  EXPECT_EQ(told_.passes[1].token_ids, (std::vector<std::int32_t>{100, 101, 102, 103}));
}

TEST_F(ProbeArenaTest, TokensAreNotToldUnasked) {
  make();
  ASSERT_EQ(run(user_, {"model", "x", "context", "decode", "13"}), 0);
  ASSERT_EQ(told_.passes.size(), 1U);
  EXPECT_TRUE(told_.passes[0].token_ids.empty());
}

TEST_F(ProbeArenaTest, ALibraryThatMayContainLlamaCppIsSuspected) {
  const testing::TempDir directory;
  const auto library = directory.path() / "my-llama-addon.node";
  std::filesystem::copy_file(ENPROF_PROBE_LIBRARY, library);  // any library without its functions
  make();
  EXPECT_TRUE(arena_->suspects().empty());
  run(late_, {"open", library.string()});
  run(late_, {"open", library.string()});
  EXPECT_EQ(arena_->suspects(), std::vector<std::string>{library.string()}) << "once";
}

TEST_F(ProbeArenaTest, AtMinimalDepthNothingIsTimed) {
  make(0);
  ASSERT_EQ(run(user_, {"model", "x", "context", "decode", "4", "decode", "1"}), 0);
  EXPECT_EQ(told_.passes.size(), 2U);
  EXPECT_TRUE(told_.graphs.empty());
}

TEST_F(ProbeArenaTest, AnUnknownReleaseIsFollowedAtFunctionBorders) {
  make();
  ASSERT_EQ(run(strange_, {"model", "x", "own-abort", "context", "decode", "4", "batch"}), 0);
  ASSERT_EQ(told_.passes.size(), 2U);
  EXPECT_EQ(told_.passes[0].tokens, 0U) << "not known";
  EXPECT_EQ(timed(), 0U);
  ASSERT_EQ(libraries_.size(), 1U);
  EXPECT_TRUE(libraries_[0].was_checked);
  EXPECT_EQ(libraries_[0].knows & (kProbeKnowsBatch | kProbeKnowsTensor), 0U);
}

TEST_F(ProbeArenaTest, AnExceptionPassesThroughAndTheNextPassIsFollowed) {
  make();
  ASSERT_EQ(run(user_, {"model", "x", "throw", "2", "context", "decode", "1", "decode", "1",
                        "decode", "1", "caught", "1"}),
            0);
  ASSERT_EQ(told_.passes.size(), 2U);
  EXPECT_EQ(timed(), 2U);
  EXPECT_EQ(told_.passes[1].number, 3U);
}

TEST_F(ProbeArenaTest, ThreadsWithContextsOfTheirOwn) {
  make();
  ASSERT_EQ(run(user_, {"model", "x", "thread", "100"}), 0);
  EXPECT_EQ(told_.contexts.size(), 4U);
  EXPECT_EQ(told_.passes.size(), 400U);
  EXPECT_EQ(timed(), 400U);
}

TEST_F(ProbeArenaTest, AChildThatWasForkedHasASlotOfItsOwn) {
  make();
  ASSERT_EQ(
      run(user_, {"model", "x", "context", "decode", "4", "fork", "decode", "1", "decode", "2"}),
      0);
  EXPECT_EQ(told_.processes.size(), 2U);
  EXPECT_EQ(told_.passes.size(), 3U);
  EXPECT_EQ(timed(), 3U);
}

TEST_F(ProbeArenaTest, AProgramMayCloseItsDescriptors) {
  make();
  ASSERT_EQ(run(user_, {"descriptors", "model", "x", "context", "decode", "1"}), 0);
  EXPECT_EQ(timed(), 1U);
}

TEST_F(ProbeArenaTest, WhatAProgramThatIsKilledToldIsThere) {
  make();
  ASSERT_EQ(run(user_, {"model", "x", "context", "decode", "1", "decode", "1", "kill"}), -SIGKILL);
  EXPECT_EQ(timed(), 2U);
}

TEST_F(ProbeArenaTest, ContextsBeyondTheRingsAreCounted) {
  make();
  std::vector<std::string> words{"model", "x"};
  for (int context = 0; context < kProbeRings + 2; ++context) {
    words.insert(words.end(), {"context", "decode", "1"});
  }
  ASSERT_EQ(run(user_, words), 0);
  EXPECT_EQ(told_.passes.size(), std::size_t{kProbeRings});
  EXPECT_EQ(losses_.contexts, 2U);
}

TEST_F(ProbeArenaTest, AFreedContextLeavesItsRingToTheNext) {
  make();
  std::vector<std::string> words{"model", "x"};
  for (int context = 0; context < 3 * kProbeRings; ++context) {
    words.insert(words.end(), {"context", "decode", "1", "free"});
  }
  ASSERT_EQ(run(user_, words), 0);
  EXPECT_EQ(told_.contexts.size(), std::size_t{3} * kProbeRings);
  EXPECT_EQ(timed(), std::size_t{3} * kProbeRings);
  EXPECT_EQ(losses_.contexts, 0U);
}

/// Nobody reads until the end: the program goes on, and says how many passes are missing.
TEST_F(ProbeArenaTest, AFullRingDropsPassesAndCountsThem) {
  make();
  constexpr int kPasses = 20'000;  // 4 threads, a ring each, 4 records a pass
  ASSERT_EQ(run(user_, {"model", "x", "thread", std::to_string(kPasses)}), 0);
  EXPECT_GT(losses_.passes, 0U);
  EXPECT_EQ(told_.passes.size() + losses_.passes, 4U * kPasses);
  EXPECT_FALSE(losses_.damage);
}

TEST_F(ProbeArenaTest, ASlotIsUsedAgainWhenItsProcessHasEnded) {
  make();
  for (int process = 0; process < kProbeSlots + 3; ++process) {
    ASSERT_EQ(wait(start(user_, {"model", "x", "context", "decode", "1"})), 0);
    arena_->read();
  }
  EXPECT_EQ(timed(), std::size_t{kProbeSlots + 3});
  EXPECT_EQ(arena_->unserved(), 0U);
  EXPECT_EQ(arena_->processes(), 0U);
}

TEST_F(ProbeArenaTest, WithoutAReaderTheProgramRunsOn) {
  make();
  const pid_t pid =
      start("/bin/sh", {"-c", "read go; exec " + user_ + " model x context decode 1"});
  const std::string gone = arena_->path();
  arena_.reset();  // as if enprof had been killed
  ::kill(pid, SIGCONT);
  EXPECT_EQ(wait(pid), 0);
  EXPECT_FALSE(std::filesystem::exists(gone));
}

TEST_F(ProbeArenaTest, AProgramWithoutLlamaCppClaimsNothing) {
  make();
  ASSERT_EQ(run("/bin/sh", {"-c", "exit 7"}), 7);
  EXPECT_TRUE(libraries_.empty());
}

}  // namespace
}  // namespace enprof

#endif
