#include "engines/llama/operation_clock.hpp"

#include "profile/deep_profiler.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A graph of one layer without a model, and llama.cpp's part played by hand: nodes are offered,
/// those that are computed are reported.
class Graph {
 public:
  explicit Graph(std::int64_t positions = 1)
      : context_(ggml_init(
            {.mem_size = 128 * ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true})) {
    ggml_context* const ggml = context_.get();
    ggml_tensor* const input = named(ggml_new_tensor_2d(ggml, GGML_TYPE_F32, 8, positions), "inp");
    ggml_tensor* const norm = add(ggml_rms_norm(ggml, input, 1e-5F), "norm-0");
    ggml_tensor* const normed =
        add(ggml_mul(ggml, norm, weight("blk.0.attn_norm.weight", 1)), "attn_norm-0");
    ggml_tensor* const q =
        add(ggml_mul_mat(ggml, weight("blk.0.attn_q.weight", 8), normed), "Qcur-0");
    ggml_tensor* const biased = add(ggml_add(ggml, q, weight("blk.0.attn_q.bias", 1)), "Qcur-0");
    ggml_tensor* const shaped =
        add(ggml_reshape_1d(ggml, biased, 8 * positions), "Qcur-0 (reshaped)");
    add(ggml_mul_mat(ggml, weight("output.weight", 8), ggml_reshape_2d(ggml, shaped, 8, positions)),
        "result_output");
  }

  /// Gives each node memory, for the sampler to read.
  void fill() const {
    memory_.resize(1024);
    for (ggml_tensor* node : nodes_) {
      node->data = memory_.data();
    }
  }

  /// Nodes that get a stamp, a fused pair once.
  static constexpr std::size_t kStamps = 4;
  [[nodiscard]] const std::vector<ggml_tensor*>& nodes() const { return nodes_; }

  /// As ggml_backend_sched_compute_splits() does it. `stamps`: how often the CPU backend reports;
  /// -1: as often as it would, none: another backend.
  void run(OperationClock& clock, int stamps = -1) const {
    std::size_t begin = 0;
    while (begin < nodes_.size()) {
      std::size_t end = begin;
      bool wanted = clock.on_node(nodes_[end], true);
      while (!wanted && end + 1 < nodes_.size()) {
        wanted = clock.on_node(nodes_[++end], true);
      }
      const std::vector<const ggml_tensor*> part(
          nodes_.begin() + static_cast<std::ptrdiff_t>(begin),
          nodes_.begin() + static_cast<std::ptrdiff_t>(end) + 1);
      const std::size_t count =
          stamps < 0 ? count_stamps(part, true) : static_cast<std::size_t>(stamps);
      for (std::size_t stamp = 0; stamp < count; ++stamp) {
        if (clock.on_executed()) {
          return;
        }
      }
      if (wanted) {
        EXPECT_TRUE(clock.on_node(nodes_[end], false));
      }
      begin = end + 1;
    }
  }

 private:
  static ggml_tensor* named(ggml_tensor* tensor, const char* name) {
    return ggml_set_name(tensor, name);
  }
  ggml_tensor* weight(const char* name, std::int64_t rows) {
    return named(ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 8, rows), name);
  }
  ggml_tensor* add(ggml_tensor* node, const char* name) {
    node->flags |= GGML_TENSOR_FLAG_COMPUTE;
    nodes_.push_back(node);
    return named(node, name);
  }

  GgmlContextPtr context_;
  std::vector<ggml_tensor*> nodes_;
  mutable std::vector<float> memory_;
};

class OperationClockTest : public ::testing::Test {
 protected:
  OperationClockTest()
      : profiler_(static_cast<PowerMonitor*>(nullptr), static_cast<ProfileDatabase*>(nullptr)),
        run_(profiler_.run({.prompt = "p", .depth = Depth::deep, .max_output_tokens = 64})) {}

  /// A clock, attached at this depth or to what it falls back to.
  struct Hooked {
    Hooked(RunScope& run, const OperationClock::Options& options)
        : clock(run, options), profiler(attach_profiler(run, clock)) {}

    OperationClock clock;
    std::unique_ptr<LayerProfiler> profiler;
  };

  static void end_pass(Hooked& hooked, bool completed = true) {
    if (const Result<void> ended = hooked.clock.end_pass(completed); !ended) {
      hooked.profiler->fall_back(ended.error());
    }
  }
  void pass(Hooked& hooked, const Graph& graph, int stamps = -1) {
    const SectionScope section = run_.section(Phase::decode, "forward");
    hooked.clock.begin_pass(Phase::decode, 0);
    graph.run(hooked.clock, stamps);
    end_pass(hooked);
  }
  [[nodiscard]] std::vector<std::string> components(const ProfiledRun& run) const {
    std::vector<std::string> result;
    result.reserve(run.operation_table.events.size());
    for (const OperationEvent& event : run.operation_table.events) {
      result.push_back(run.operation_table.operations[event.operation].component);
    }
    return result;
  }
  [[nodiscard]] std::vector<std::string> warnings(const ProfiledRun& run) const {
    std::vector<std::string> codes;
    for (const Warning& warning : run.warnings) {
      if (warning.component == "engine" || warning.component == "profile") {
        codes.push_back(warning.code);
      }
    }
    return codes;
  }

  InferencePipelineProfiler profiler_;
  RunScope run_;
};

TEST_F(OperationClockTest, EachOperationOfEachPass) {
  Hooked hooked(run_, {});
  const Graph graph;
  pass(hooked, graph);
  pass(hooked, graph);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(components(run), ElementsAre("input_layernorm", "q_proj", "q_proj", "lm_head",
                                           "input_layernorm", "q_proj", "q_proj", "lm_head"));
  EXPECT_THAT(run.operation_table.operations, SizeIs(Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
  EXPECT_EQ(hooked.profiler->attached(), HookDepth::operations);
  Nanoseconds before{0};
  for (const OperationEvent& event : run.operation_table.events) {
    EXPECT_GE(event.begin, before);
    before = event.begin + Nanoseconds{event.duration_ns};
  }
}

TEST_F(OperationClockTest, AGraphOfAnotherShapeIsAnotherPlan) {
  Hooked hooked(run_, {});
  const Graph one(1);
  const Graph seven(7);
  pass(hooked, seven);
  pass(hooked, one);
  pass(hooked, seven);
  pass(hooked, one);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.operations, SizeIs(2 * Graph::kStamps));
  EXPECT_THAT(run.operation_table.events, SizeIs(4 * Graph::kStamps));
  EXPECT_EQ(run.operation_table.operations[0].shape[1], 7);
  EXPECT_EQ(run.operation_table.operations[Graph::kStamps].shape[1], 1);
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, AGraphBuiltAnewIsKnownAgain) {
  Hooked hooked(run_, {});
  for (int i = 0; i < 3; ++i) {
    pass(hooked, Graph());
  }
  EXPECT_THAT(run_.finish().operation_table.operations, SizeIs(Graph::kStamps));
}

TEST_F(OperationClockTest, SeveralGraphsInOneDecode) {
  Hooked hooked(run_, {});
  const Graph first(4);
  const Graph second(2);
  {
    const SectionScope section = run_.section(Phase::prefill, "forward");
    hooked.clock.begin_pass(Phase::prefill, -1);
    first.run(hooked.clock);
    second.run(hooked.clock);
    end_pass(hooked);
  }
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(2 * Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

#ifdef __GLIBC__
/// Bytes that the program has from the allocator; those that a sanitizer hands out are not counted.
std::int64_t allocated_bytes() {
  const auto info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

TEST_F(OperationClockTest, WhileAGraphIsComputedNoRoomIsMadeForTheRunsStamps) {
  constexpr std::size_t kOperations = 1500;  // more than usual
  RunScope run = profiler_.run({.prompt = "p", .depth = Depth::deep, .max_output_tokens = 1000});
  const GgmlContextPtr context(ggml_init({.mem_size = 2 * kOperations * ggml_tensor_overhead(),
                                          .mem_buffer = nullptr,
                                          .no_alloc = true}));
  std::vector<ggml_tensor*> nodes{ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, 8)};
  while (nodes.size() <= kOperations) {
    nodes.push_back(ggml_sqr(context.get(), nodes.back()));
    nodes.back()->flags |= GGML_TENSOR_FLAG_COMPUTE;
  }
  nodes.erase(nodes.begin());  // the input
  for (const std::size_t known : {kOperations, std::size_t{0}}) {
    Hooked hooked(run, {.graph_nodes = known});
    const SectionScope section = run.section(Phase::decode, "forward");
    hooked.clock.begin_pass(Phase::decode, 0);
    const std::int64_t before = allocated_bytes();
    for (ggml_tensor* node : nodes) {
      EXPECT_FALSE(hooked.clock.on_node(node, true));
    }
    for (std::size_t stamp = 0; stamp < kOperations; ++stamp) {
      EXPECT_FALSE(hooked.clock.on_executed());
    }
    // Stamps of 1000 passes are 12 MB.
    EXPECT_LT(allocated_bytes() - before, std::int64_t{1} << 20U);
    end_pass(hooked);
  }
  EXPECT_THAT(run.finish().operation_table.events, SizeIs(2 * kOperations));
}
#endif

/// None of these may end up under a name.
class OperationClockMismatch : public OperationClockTest,
                               public ::testing::WithParamInterface<std::pair<int, int>> {};

TEST_P(OperationClockMismatch, TellsNothingApartAndFallsBack) {
  Hooked hooked(run_, {});
  const Graph graph;
  const auto [good, stamps] = GetParam();
  for (int i = 0; i < good; ++i) {
    pass(hooked, graph);
  }
  pass(hooked, graph, stamps);
  EXPECT_EQ(hooked.profiler->attached(), HookDepth::components);
  pass(hooked, graph);
  const ProfiledRun& run = run_.finish();
  std::vector<std::string> expected;
  for (int i = 0; i < good; ++i) {
    expected.insert(expected.end(), {"input_layernorm", "q_proj", "q_proj", "lm_head"});
  }
  expected.insert(expected.end(), {"input_layernorm", "q_proj", "lm_head"});
  EXPECT_EQ(components(run), expected);
  EXPECT_THAT(warnings(run), Contains("components_only"));
  const auto warning = std::ranges::find(run.warnings, "components_only", &Warning::code);
  EXPECT_THAT(warning->message, HasSubstr("reported " + std::to_string(stamps) +
                                          " operations of a graph that has 4"));
  EXPECT_THAT(warning->hint, HasSubstr("-ngl 0"));
}

INSTANTIATE_TEST_SUITE_P(All, OperationClockMismatch,
                         ::testing::Values(std::pair(0, 0), std::pair(0, 3), std::pair(0, 5),
                                           std::pair(2, 0), std::pair(2, 3), std::pair(2, 5),
                                           std::pair(1, 4000), std::pair(0, 10'000)));

TEST_F(OperationClockTest, WithoutFusionTheNormHasAStampOfItsOwn) {
  Hooked hooked(run_, {.fusion = false});
  pass(hooked, Graph(), 5);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(components(run),
              ElementsAre("input_layernorm", "input_layernorm", "q_proj", "q_proj", "lm_head"));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, ComponentsAloneFromTheFirstPassOn) {
  Hooked hooked(run_, {.offloaded = true});
  const Graph seven(7);
  const Graph one(1);
  pass(hooked, seven, 0);  // a backend that reports nothing
  pass(hooked, one, 0);
  pass(hooked, one, 0);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(components(run),
              ElementsAre("input_layernorm", "q_proj", "lm_head", "input_layernorm", "q_proj",
                          "lm_head", "input_layernorm", "q_proj", "lm_head"));
  EXPECT_THAT(warnings(run), ElementsAre("components_only"));
  EXPECT_EQ(hooked.profiler->attached(), HookDepth::components);
}

TEST_F(OperationClockTest, AGpuHasItsComponentsTimedInDeepRunsAlone) {
  const auto warning_at = [&](Depth depth) {
    RunScope run = profiler_.run({.prompt = "p", .depth = depth, .max_output_tokens = 64});
    Hooked hooked(run, {.offloaded = true});
    llama_context_params params = llama_context_default_params();
    hooked.clock.set_callbacks(params);
    EXPECT_EQ(params.cb_eval != nullptr, depth == Depth::deep);
    return run.finish().warnings.at(0);
  };
  const Warning module = warning_at(Depth::module);
  EXPECT_EQ(module.code, "tokens_only");
  EXPECT_EQ(module.message, "A GPU computes the model, so only tokens were timed");
  EXPECT_EQ(module.hint,
            "Pass --depth deep to time its components, at a price; or --depth minimal.");
  const Warning deep = warning_at(Depth::deep);
  EXPECT_EQ(deep.code, "components_only");
  EXPECT_EQ(deep.message,
            "A GPU computes the model: the engine was stopped after each component to time it, "
            "which slows the inference down; operations are not distinguished");
  EXPECT_EQ(deep.hint, "Pass -ngl 0 to compute on the CPU, or --depth minimal.");
}

TEST_F(OperationClockTest, AModuleRunFallsBackAsADeepOneDoes) {
  RunScope run = profiler_.run({.prompt = "p", .depth = Depth::module, .max_output_tokens = 64});
  Hooked hooked(run, {});
  EXPECT_EQ(hooked.profiler->attached(), HookDepth::operations);  // for free
  const SectionScope section = run.section(Phase::decode, "forward");
  hooked.clock.begin_pass(Phase::decode, 0);
  Graph().run(hooked.clock, 3);
  end_pass(hooked);
  EXPECT_EQ(hooked.profiler->attached(), HookDepth::components);
}

TEST_F(OperationClockTest, WhatHasFailedIsNotOfferedAgain) {
  Hooked hooked(run_, {});
  pass(hooked, Graph(), 3);
  EXPECT_FALSE(hooked.clock.offer(HookDepth::operations));
  ASSERT_TRUE(hooked.clock.offer(HookDepth::components));
  EXPECT_TRUE(hooked.clock.offer(HookDepth::components)->slows_down);
  EXPECT_FALSE(hooked.clock.attach(HookDepth::operations, false));
}

TEST_F(OperationClockTest, AKnownGraphIsStoppedWhereComponentsEndAlone) {
  Hooked hooked(run_, {.offloaded = true});
  const Graph graph;
  const auto answers = [&] {
    std::vector<bool> result;
    hooked.clock.begin_pass(Phase::decode, 0);
    for (ggml_tensor* node : graph.nodes()) {
      result.push_back(hooked.clock.on_node(node, true));
      if (result.back()) {
        EXPECT_TRUE(hooked.clock.on_node(node, false));
      }
    }
    end_pass(hooked);
    return result;
  };
  // norm, its weights, q_proj, its bias, a reshape, lm_head
  EXPECT_THAT(answers(), ElementsAre(false, true, true, true, false, true));
  EXPECT_THAT(answers(), ElementsAre(false, true, false, true, false, true));
}

TEST_F(OperationClockTest, ComponentsThatAreNotReportedLeaveTokens) {
  Hooked hooked(run_, {.offloaded = true});
  const Graph graph;
  pass(hooked, graph);
  hooked.clock.begin_pass(Phase::decode, 0);
  for (ggml_tensor* node : graph.nodes()) {
    static_cast<void>(hooked.clock.on_node(node, true));  // and the data never comes
  }
  end_pass(hooked);
  EXPECT_EQ(hooked.profiler->attached(), std::nullopt);
  pass(hooked, graph);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(3));
  EXPECT_THAT(warnings(run), ElementsAre("components_only", "tokens_only"));
}

TEST_F(OperationClockTest, OffAsksForNothing) {
  OperationClock clock(run_, {});  // attached to nothing, as in a minimal run
  llama_context_params params = llama_context_default_params();
  clock.set_callbacks(params);
  EXPECT_EQ(params.cb_eval, nullptr);
  ASSERT_NE(params.abort_callback, nullptr);
  EXPECT_FALSE(params.abort_callback(params.abort_callback_data));
  clock.begin_pass(Phase::decode, 0);
  Graph().run(clock);
  EXPECT_TRUE(clock.end_pass(true));
  EXPECT_THAT(run_.finish().operation_table.events, IsEmpty());
}

TEST_F(OperationClockTest, CancelStopsAGraphAndIsNoMismatch) {
  std::stop_source source;
  Hooked hooked(run_, {.stop = source.get_token()});
  const Graph graph;
  pass(hooked, graph);
  source.request_stop();
  hooked.clock.begin_pass(Phase::decode, 0);
  graph.run(hooked.clock);
  end_pass(hooked, false);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, CallbacksOutsideOfAPassDoNothing) {
  Hooked hooked(run_, {});
  const Graph graph;
  graph.run(hooked.clock);  // such as a warm-up
  pass(hooked, graph);
  graph.run(hooked.clock);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, ASampledPassIsStoppedWhereThereIsSomethingToSee) {
  ValueSampler sampler({.every = 2});
  Hooked hooked(run_, {.sampler = &sampler});
  const Graph graph;
  graph.fill();
  for (int i = 0; i < 5; ++i) {
    pass(hooked, graph);
  }
  const SampledValues sampled = sampler.take();
  EXPECT_EQ(sampled.passes, 3U);  // the second, for the first cannot be, and one in two
  EXPECT_THAT(sampled.activations, SizeIs(3 * 3));
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(2 * Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, AGraphThatChangesUnderTheSamplerIsSampledLater) {
  ValueSampler sampler({.every = 100});
  Hooked hooked(run_, {.sampler = &sampler});
  const Graph one(1);
  const Graph two(2);
  one.fill();
  two.fill();
  pass(hooked, one);  // owed from here on
  pass(hooked, two);  // cannot be followed
  pass(hooked, two);  // is learned
  pass(hooked, two);
  pass(hooked, two);
  EXPECT_EQ(sampler.take().passes, 1U);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(3 * Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, AProbeThatThrowsLeavesTokens) {
  ValueSampler sampler({.every = 2});
  Hooked hooked(run_, {.sampler = &sampler});
  const Graph graph;
  graph.fill();
  pass(hooked, graph);
  hooked.clock.begin_pass(Phase::decode, 1);
  ggml_tensor* const node = graph.nodes()[1];
  EXPECT_FALSE(hooked.clock.on_node(graph.nodes()[0], true));
  EXPECT_TRUE(hooked.clock.on_node(node, true));
  const std::int64_t width = node->ne[0];
  node->ne[0] = std::int64_t{1} << 61;             // more than a vector may hold
  EXPECT_TRUE(hooked.clock.on_node(node, false));  // and the inference goes on
  node->ne[0] = width;
  EXPECT_FALSE(hooked.clock.on_node(graph.nodes()[2], true));
  EXPECT_FALSE(hooked.clock.on_executed());
  end_pass(hooked);
  EXPECT_EQ(hooked.profiler->attached(), std::nullopt);
  pass(hooked, graph);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(Graph::kStamps));
  ASSERT_THAT(warnings(run), ElementsAre("tokens_only"));
  EXPECT_THAT(run.warnings.front().message, HasSubstr("The operation clock failed"));
}

TEST_F(OperationClockTest, MoreKindsOfGraphThanAreKeptApartLeaveTokens) {
  Hooked hooked(run_, {});
  for (std::size_t positions = 1; positions <= OperationClock::kMostGraphs + 1; ++positions) {
    pass(hooked, Graph(static_cast<std::int64_t>(positions)));
  }
  EXPECT_EQ(hooked.profiler->attached(), std::nullopt);
  EXPECT_THAT(warnings(run_.finish()), Contains("tokens_only"));
}

}  // namespace
}  // namespace enprof
