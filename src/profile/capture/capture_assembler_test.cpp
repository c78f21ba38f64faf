#include "profile/capture/capture_assembler.hpp"

#include "record/pass_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using testing::at_ms;

/// q_proj, attention and the head, of one layer.
SharedPlan three_operations() {
  const auto operation = [](std::int32_t layer, const char* component, const char* op) {
    OperationInfo info;
    info.layer = layer;
    info.component = component;
    info.op = op;
    info.shape = {64, 1, 1, 1};
    info.flops = 8192.0;
    info.bytes = 4096.0;
    return info;
  };
  OperationPlan plan;
  plan.operations = {operation(0, "q_proj", "MUL_MAT"), operation(0, "attention", "SOFT_MAX"),
                     operation(-1, "lm_head", "MUL_MAT")};
  return std::make_shared<const OperationPlan>(std::move(plan));
}

struct Made {
  ProfiledRun capture;
  std::vector<ProfiledRun> requests;
};

/// A program of 200 ms whose model was loaded from 10 to 20 ms, with passes of 8 ms at a constant
/// power, read every 2 ms.
class CaptureTest : public ::testing::Test {
 protected:
  CaptureTest() {
    recording_.begin = at_ms(0);
    recording_.end = at_ms(200);
    CapturedModel model;
    model.facts.name = "toy";
    model.begin = at_ms(10);
    model.loaded = at_ms(20);
    recording_.models = {model};
    recording_.contexts = {{.model = 0, .positions = 512}};
    recording_.passes.plans = {three_operations()};
    power_.domains = {domain_from_name("package-0")};
    power_.domains[0].source = "rapl";
    power_.windows.emplace_back();
    for (int begin = -20; begin < 220; begin += 2) {
      power_.windows[0].push_back({.begin = at_ms(begin),
                                   .end = at_ms(begin + 2),
                                   .energy = Watts{20} * std::chrono::milliseconds{2}});
    }
  }

  /// A pass of 8 ms: 1 ms before its operations, 2, 3 and 1 ms in them, 1 ms after them.
  void pass(double begin, std::vector<BatchSequence> batch, std::uint32_t context = 0) {
    const std::vector<Instant> ends{at_ms(begin + 3), at_ms(begin + 6), at_ms(begin + 7)};
    recording_.add_pass(context,
                        {.begin = at_ms(begin), .start = at_ms(begin + 1), .end = at_ms(begin + 8)},
                        ends, batch);
  }

  Made make(Depth depth = Depth::deep) const {
    Made made;
    made.capture.run_id = "capture";
    made.capture.depth = depth;
    made.capture.status = RunStatus::completed;
    const Span whole{.begin = at_ms(0), .end = at_ms(200), .level = Level::run};
    assemble_capture(recording_, whole, power_, made.capture,
                     [&](ProfiledRun run) { made.requests.push_back(std::move(run)); });
    return made;
  }

  static double joules(const Figure& figure) { return figure.total.value_or(Joules{0}).value(); }
  static double joules_of(const Made& made, CapturePartKind kind) {
    const auto& parts = made.capture.capture->parts;
    const auto found = std::ranges::find(parts, kind, &CapturePart::kind);
    return found == parts.end() ? 0.0 : joules(found->figure);
  }
  /// Requests and all other parts add up to the capture, and so do the phases of each request.
  static void expect_conserved(const Made& made) {
    const double whole = joules(made.capture.totals.figure);
    double parts = 0.0;
    for (const CapturePart& part : made.capture.capture->parts) {
      parts += joules(part.figure);
    }
    double requests = 0.0;
    for (const ProfiledRun& request : made.requests) {
      requests += joules(request.totals.figure);
      double phases = 0.0;
      for (const PhaseFigure& phase : request.phases) {
        phases += joules(phase.figure);
      }
      EXPECT_NEAR(phases, joules(request.totals.figure), 1e-9 * whole);
    }
    EXPECT_NEAR(parts, whole, 1e-9 * whole);
    EXPECT_NEAR(requests, joules_of(made, CapturePartKind::requests), 1e-9 * whole);
  }

  CaptureRecording recording_;
  PowerEvidence power_;
};

BatchSequence sequence(std::int32_t id, std::int32_t position, std::uint32_t tokens,
                       std::uint32_t outputs = 1) {
  return {.id = id, .first_position = position, .tokens = tokens, .outputs = outputs};
}

TEST_F(CaptureTest, TheTimeOfAProgramHasNames) {
  pass(40, {sequence(0, 0, 8)});
  pass(50, {sequence(0, 8, 1)});
  const Made made = make();
  expect_conserved(made);
  ASSERT_EQ(made.requests.size(), 1U);
  // 20 W: 8 + 2 + 8 ms of requests, loading 10 ms, idle 20–40 and 58–200, the start 10 ms.
  EXPECT_NEAR(joules_of(made, CapturePartKind::requests), 20 * 0.018, 1e-9);
  EXPECT_NEAR(joules_of(made, CapturePartKind::loading), 20 * 0.010, 1e-9);
  EXPECT_NEAR(joules_of(made, CapturePartKind::idle_while_loaded), 20 * 0.162, 1e-9);
  EXPECT_NEAR(joules_of(made, CapturePartKind::unassigned), 20 * 0.010, 1e-9);
  const ProfiledRun& request = made.requests.front();
  EXPECT_EQ(request.capture_id, "capture");
  EXPECT_EQ(request.model.name, "toy");
  EXPECT_EQ(request.totals.prompt_tokens, 8U);
  EXPECT_EQ(request.totals.output_tokens, 2U);
  EXPECT_EQ(request.totals.time_to_first_token, std::chrono::milliseconds{8});
  EXPECT_FALSE(request.request->waiting);
  EXPECT_NEAR(request.request->idle_share->value(), 20 * 0.162, 1e-9);
  EXPECT_EQ(made.capture.capture->sharing, "operations");
}

TEST_F(CaptureTest, OperationsGoToWhomTheyWorkFor) {
  // In one pass: the first has 3 of 4 tokens, but the second alone wants an output.
  pass(40, {sequence(0, 0, 3, 0), sequence(1, 0, 1)});
  const Made made = make();
  expect_conserved(made);
  ASSERT_EQ(made.requests.size(), 2U);
  // By tokens 1 + 2 + 1 ms; attention 6 : 1 of 3 ms; the output 1 ms.
  EXPECT_NEAR(joules(made.requests[0].totals.figure), 20e-3 * (0.75 * 4 + 3.0 * 6 / 7), 1e-9);
  EXPECT_NEAR(joules(made.requests[1].totals.figure), 20e-3 * (0.25 * 4 + 3.0 / 7 + 1), 1e-9);
  double of_attention = 0.0;
  for (const ComponentFigure& component : made.requests[0].components) {
    of_attention += component.component == "attention" ? joules(component.figure) : 0.0;
  }
  EXPECT_NEAR(of_attention, 20e-3 * 3.0 * 6 / 7, 1e-9);
  EXPECT_GT(joules(made.requests[0].totals.figure), made.requests[0].request->marginal->value());
}

TEST_F(CaptureTest, ModulesAreSharedLikeOperations) {
  pass(40, {sequence(0, 0, 3, 0), sequence(1, 0, 1)});
  pass(50, {sequence(0, 3, 1), sequence(1, 1, 1)});
  const Made deep = make(Depth::deep);
  const Made module = make(Depth::module);
  expect_conserved(module);
  for (std::size_t request = 0; request < 2; ++request) {
    EXPECT_NEAR(joules(deep.requests[request].totals.figure),
                joules(module.requests[request].totals.figure), 1e-9);
  }
}

TEST_F(CaptureTest, WithoutOperationsTokensShareAPass) {
  pass(40, {sequence(0, 0, 3, 0), sequence(1, 0, 1)});
  const Made made = make(Depth::minimal);
  expect_conserved(made);
  EXPECT_NEAR(joules(made.requests[0].totals.figure), 20e-3 * 0.75 * 8, 1e-9);
  EXPECT_EQ(made.capture.capture->sharing, "tokens");
  EXPECT_TRUE(made.requests[0].components.empty());
}

TEST_F(CaptureTest, WhoIsAloneHasEverythingAndAddedEverything) {
  pass(40, {sequence(0, 0, 3)});
  const Made made = make();
  const ProfiledRun& request = made.requests.front();
  EXPECT_NEAR(joules(request.totals.figure), 20e-3 * 8, 1e-9);
  EXPECT_NEAR(request.request->marginal->value(), 20e-3 * 8, 1e-9);
  EXPECT_EQ(request.request->mean_sequences, 1.0);
}

TEST_F(CaptureTest, PassesAtOnceShareTheirCommonTime) {
  recording_.contexts.push_back({.model = 0, .positions = 512});
  pass(40, {sequence(0, 0, 3)}, 0);
  pass(44, {sequence(0, 0, 3)}, 1);
  const Made made = make();
  expect_conserved(made);
  ASSERT_EQ(made.requests.size(), 2U);
  EXPECT_NEAR(joules(made.requests[0].totals.figure), 20e-3 * 6, 1e-9);
  EXPECT_NEAR(joules(made.requests[1].totals.figure), 20e-3 * 6, 1e-9);
}

TEST_F(CaptureTest, AWarmUpAndAMoveOfTheCacheHaveNamesOfTheirOwn) {
  recording_.work = {{.kind = CapturedWorkKind::warm_up, .begin = at_ms(28), .end = at_ms(40)},
                     {.kind = CapturedWorkKind::cache_move, .begin = at_ms(60), .end = at_ms(70)}};
  pass(30, {sequence(0, 0, 2)});
  pass(50, {sequence(0, 0, 5)});
  const Made made = make();
  expect_conserved(made);
  ASSERT_EQ(made.requests.size(), 1U);
  EXPECT_NEAR(joules_of(made, CapturePartKind::warm_up), 20e-3 * 12, 1e-9);
  EXPECT_NEAR(joules_of(made, CapturePartKind::cache_moves), 20e-3 * 10, 1e-9);
}

TEST_F(CaptureTest, ALongPauseOfARequestIsNotItsEnergy) {
  pass(40, {sequence(0, 0, 5)});
  pass(160, {sequence(0, 5, 1)});
  const Made made = make();
  expect_conserved(made);
  ASSERT_EQ(made.requests.size(), 1U);
  EXPECT_NEAR(joules(made.requests[0].totals.figure), 20e-3 * 16, 1e-9);
  EXPECT_NEAR(joules_of(made, CapturePartKind::unassigned), 20e-3 * (10 + 112), 1e-9);
}

TEST_F(CaptureTest, RandomServersConserveEnergyAtEachDepth) {
  std::mt19937 random(11);
  const auto pick = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int round = 0; round < 6; ++round) {
    recording_.passes = {};
    recording_.passes.plans = {three_operations()};
    recording_.context_of.clear();
    for (double at = 22; at < 205; at += pick(5, 14)) {
      std::vector<BatchSequence> batch;
      for (int id = 0; id < 4; ++id) {
        if (pick(0, 2) > 0) {
          const auto tokens = static_cast<std::uint32_t>(pick(0, 5));
          batch.push_back(sequence(id, pick(0, 60), tokens,
                                   static_cast<std::uint32_t>(pick(0, static_cast<int>(tokens)))));
        }
      }
      pass(at, batch, static_cast<std::uint32_t>(pick(0, 2)));
      if (pick(0, 5) == 0) {
        recording_.passes.passes.back().state = PassState::dropped;
      }
      if (pick(0, 9) == 0) {
        recording_.passes.passes.back().plan = 7;
      }
    }
    for (const Depth depth : {Depth::minimal, Depth::module, Depth::deep}) {
      expect_conserved(make(depth));
    }
  }
}

TEST_F(CaptureTest, TheOrderOfSequencesDoesNotMatter) {
  pass(40, {sequence(0, 0, 3, 0), sequence(1, 0, 1)});
  const Made made = make();
  recording_.passes = {};
  recording_.passes.plans = {three_operations()};
  recording_.context_of.clear();
  pass(40, {sequence(1, 0, 1), sequence(0, 0, 3, 0)});
  const Made again = make();
  EXPECT_NEAR(joules(made.requests[0].totals.figure), joules(again.requests[1].totals.figure),
              1e-12);
}

TEST_F(CaptureTest, WithoutPowerThereIsNoEnergyAndNoZero) {
  power_ = {};
  pass(40, {sequence(0, 0, 3)});
  const Made made = make();
  ASSERT_EQ(made.requests.size(), 1U);
  EXPECT_FALSE(made.requests[0].totals.figure.total);
  EXPECT_FALSE(made.requests[0].request->marginal);
  EXPECT_EQ(made.requests[0].totals.figure.duration, std::chrono::milliseconds{8});
}

TEST_F(CaptureTest, LostPassesAreSaid) {
  pass(40, {sequence(0, 0, 3)});
  recording_.lost_passes = 3;
  const Made made = make();
  ASSERT_EQ(made.capture.warnings.size(), 1U);
  EXPECT_EQ(made.capture.warnings[0].code, "lost_passes");
  EXPECT_THAT(made.capture.warnings[0].message, ::testing::HasSubstr("not recorded: 3."));
}

TEST_F(CaptureTest, AProgramWithoutPassesIsIdle) {
  const Made made = make();
  EXPECT_TRUE(made.requests.empty());
  expect_conserved(made);
  EXPECT_NEAR(joules_of(made, CapturePartKind::idle_while_loaded), 20e-3 * 180, 1e-9);
}

}  // namespace
}  // namespace enprof
