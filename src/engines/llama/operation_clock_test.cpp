#include "engines/llama/operation_clock.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

  void pass(OperationClock& clock, const Graph& graph, int stamps = -1) {
    const SectionScope section = run_.section(Phase::decode, "forward");
    clock.begin_pass(Phase::decode, 0);
    graph.run(clock, stamps);
    clock.end_pass(true);
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
  OperationClock clock(run_, {});
  const Graph graph;
  pass(clock, graph);
  pass(clock, graph);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(components(run), ElementsAre("input_layernorm", "q_proj", "q_proj", "lm_head",
                                           "input_layernorm", "q_proj", "q_proj", "lm_head"));
  EXPECT_THAT(run.operation_table.operations, SizeIs(Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
  EXPECT_EQ(clock.mode(), ClockMode::operations);
  Nanoseconds before{0};
  for (const OperationEvent& event : run.operation_table.events) {
    EXPECT_GE(event.begin, before);
    before = event.begin + Nanoseconds{event.duration_ns};
  }
}

TEST_F(OperationClockTest, AGraphOfAnotherShapeIsAnotherPlan) {
  OperationClock clock(run_, {});
  const Graph one(1);
  const Graph seven(7);
  pass(clock, seven);
  pass(clock, one);
  pass(clock, seven);
  pass(clock, one);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.operations, SizeIs(2 * Graph::kStamps));
  EXPECT_THAT(run.operation_table.events, SizeIs(4 * Graph::kStamps));
  EXPECT_EQ(run.operation_table.operations[0].shape[1], 7);
  EXPECT_EQ(run.operation_table.operations[Graph::kStamps].shape[1], 1);
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, AGraphBuiltAnewIsKnownAgain) {
  OperationClock clock(run_, {});
  for (int i = 0; i < 3; ++i) {
    pass(clock, Graph());
  }
  EXPECT_THAT(run_.finish().operation_table.operations, SizeIs(Graph::kStamps));
}

TEST_F(OperationClockTest, SeveralGraphsInOneDecode) {
  OperationClock clock(run_, {});
  const Graph first(4);
  const Graph second(2);
  {
    const SectionScope section = run_.section(Phase::prefill, "forward");
    clock.begin_pass(Phase::prefill, -1);
    first.run(clock);
    second.run(clock);
    clock.end_pass(true);
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
    OperationClock clock(run, {.graph_nodes = known});
    const SectionScope section = run.section(Phase::decode, "forward");
    clock.begin_pass(Phase::decode, 0);
    const std::int64_t before = allocated_bytes();
    for (ggml_tensor* node : nodes) {
      EXPECT_FALSE(clock.on_node(node, true));
    }
    for (std::size_t stamp = 0; stamp < kOperations; ++stamp) {
      EXPECT_FALSE(clock.on_executed());
    }
    // Stamps of 1000 passes are 12 MB.
    EXPECT_LT(allocated_bytes() - before, std::int64_t{1} << 20U);
    clock.end_pass(true);
  }
  EXPECT_THAT(run.finish().operation_table.events, SizeIs(2 * kOperations));
}
#endif

/// None of these may end up under a name.
class OperationClockMismatch : public OperationClockTest,
                               public ::testing::WithParamInterface<std::pair<int, int>> {};

TEST_P(OperationClockMismatch, TellsNothingApartAndFallsBack) {
  OperationClock clock(run_, {});
  const Graph graph;
  const auto [good, stamps] = GetParam();
  for (int i = 0; i < good; ++i) {
    pass(clock, graph);
  }
  pass(clock, graph, stamps);
  EXPECT_EQ(clock.mode(), ClockMode::components);
  pass(clock, graph);
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
  OperationClock clock(run_, {.fusion = false});
  pass(clock, Graph(), 5);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(components(run),
              ElementsAre("input_layernorm", "input_layernorm", "q_proj", "q_proj", "lm_head"));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, ComponentsAloneFromTheFirstPassOn) {
  OperationClock clock(run_, {.mode = ClockMode::components});
  const Graph seven(7);
  const Graph one(1);
  pass(clock, seven, 0);  // a backend that reports nothing
  pass(clock, one, 0);
  pass(clock, one, 0);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(components(run),
              ElementsAre("input_layernorm", "q_proj", "lm_head", "input_layernorm", "q_proj",
                          "lm_head", "input_layernorm", "q_proj", "lm_head"));
  EXPECT_THAT(warnings(run), IsEmpty());
  EXPECT_EQ(clock.mode(), ClockMode::components);
}

TEST_F(OperationClockTest, AKnownGraphIsStoppedWhereComponentsEndAlone) {
  OperationClock clock(run_, {.mode = ClockMode::components});
  const Graph graph;
  const auto answers = [&] {
    std::vector<bool> result;
    clock.begin_pass(Phase::decode, 0);
    for (ggml_tensor* node : graph.nodes()) {
      result.push_back(clock.on_node(node, true));
      if (result.back()) {
        EXPECT_TRUE(clock.on_node(node, false));
      }
    }
    clock.end_pass(true);
    return result;
  };
  // norm, its weights, q_proj, its bias, a reshape, lm_head
  EXPECT_THAT(answers(), ElementsAre(false, true, true, true, false, true));
  EXPECT_THAT(answers(), ElementsAre(false, true, false, true, false, true));
}

TEST_F(OperationClockTest, ComponentsThatAreNotReportedLeaveTokens) {
  OperationClock clock(run_, {.mode = ClockMode::components});
  const Graph graph;
  pass(clock, graph);
  clock.begin_pass(Phase::decode, 0);
  for (ggml_tensor* node : graph.nodes()) {
    static_cast<void>(clock.on_node(node, true));  // and the data never comes
  }
  clock.end_pass(true);
  EXPECT_EQ(clock.mode(), ClockMode::off);
  pass(clock, graph);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(3));
  EXPECT_THAT(warnings(run), ElementsAre("tokens_only"));
}

TEST_F(OperationClockTest, OffAsksForNothing) {
  OperationClock clock(run_, {.mode = ClockMode::off});
  llama_context_params params = llama_context_default_params();
  clock.attach(params);
  EXPECT_EQ(params.cb_eval, nullptr);
  ASSERT_NE(params.abort_callback, nullptr);
  EXPECT_FALSE(params.abort_callback(params.abort_callback_data));
  pass(clock, Graph());
  EXPECT_THAT(run_.finish().operation_table.events, IsEmpty());
}

TEST_F(OperationClockTest, CancelStopsAGraphAndIsNoMismatch) {
  std::stop_source source;
  OperationClock clock(run_, {.stop = source.get_token()});
  const Graph graph;
  pass(clock, graph);
  source.request_stop();
  clock.begin_pass(Phase::decode, 0);
  graph.run(clock);
  clock.end_pass(false);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, CallbacksOutsideOfAPassDoNothing) {
  OperationClock clock(run_, {});
  const Graph graph;
  graph.run(clock);  // such as a warm-up
  pass(clock, graph);
  graph.run(clock);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, ASampledPassIsStoppedWhereThereIsSomethingToSee) {
  ValueSampler sampler({.every = 2});
  OperationClock clock(run_, {.sampler = &sampler});
  const Graph graph;
  graph.fill();
  for (int i = 0; i < 5; ++i) {
    pass(clock, graph);
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
  OperationClock clock(run_, {.sampler = &sampler});
  const Graph one(1);
  const Graph two(2);
  one.fill();
  two.fill();
  pass(clock, one);  // owed from here on
  pass(clock, two);  // cannot be followed
  pass(clock, two);  // is learned
  pass(clock, two);
  pass(clock, two);
  EXPECT_EQ(sampler.take().passes, 1U);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(3 * Graph::kStamps));
  EXPECT_THAT(warnings(run), IsEmpty());
}

TEST_F(OperationClockTest, AProbeThatThrowsLeavesTokens) {
  ValueSampler sampler({.every = 2});
  OperationClock clock(run_, {.sampler = &sampler});
  const Graph graph;
  graph.fill();
  pass(clock, graph);
  clock.begin_pass(Phase::decode, 1);
  ggml_tensor* const node = graph.nodes()[1];
  EXPECT_FALSE(clock.on_node(graph.nodes()[0], true));
  EXPECT_TRUE(clock.on_node(node, true));
  const std::int64_t width = node->ne[0];
  node->ne[0] = std::int64_t{1} << 61;      // more than a vector may hold
  EXPECT_TRUE(clock.on_node(node, false));  // and the inference goes on
  node->ne[0] = width;
  EXPECT_FALSE(clock.on_node(graph.nodes()[2], true));
  EXPECT_FALSE(clock.on_executed());
  clock.end_pass(true);
  EXPECT_EQ(clock.mode(), ClockMode::off);
  pass(clock, graph);
  const ProfiledRun& run = run_.finish();
  EXPECT_THAT(run.operation_table.events, SizeIs(Graph::kStamps));
  ASSERT_THAT(warnings(run), ElementsAre("tokens_only"));
  EXPECT_THAT(run.warnings.front().message, HasSubstr("The operation clock failed"));
}

TEST_F(OperationClockTest, MoreKindsOfGraphThanAreKeptApartLeaveTokens) {
  OperationClock clock(run_, {});
  for (std::size_t positions = 1; positions <= OperationClock::kMostGraphs + 1; ++positions) {
    pass(clock, Graph(static_cast<std::int64_t>(positions)));
  }
  EXPECT_EQ(clock.mode(), ClockMode::off);
  EXPECT_THAT(warnings(run_.finish()), Contains("tokens_only"));
}

}  // namespace
}  // namespace enprof
