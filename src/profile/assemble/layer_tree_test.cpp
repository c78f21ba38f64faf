#include "profile/assemble/layer_tree.hpp"

#include "profile/assemble/operation_tree.hpp"
#include "record/pass_test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <stdexcept>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::at_ms;

class LayerTreeTest : public ::testing::Test {
 protected:
  /// Attributes by time only, so that figures can be computed by hand, or as real runs.
  template <class Tree = LayerTree>
  ProfiledRun profiled(const Recording& recording, const std::vector<EnergyWindow>& windows,
                       bool by_time_alone = true) {
    const EnergyTimeline timeline(windows, 0ns);
    const Tree tree(recording.view());
    const std::vector<SpanGroups> groupings = tree.groupings();
    const Attribution attribution = attribute(tree.spans(), std::span(&timeline, 1),
                                              {.classes = tree.classes(),
                                               .groupings = groupings,
                                               .idle_power = {},
                                               .by_time_alone = by_time_alone});
    EXPECT_EQ(attribution.mended_spans(), 0U);
    pass_energies_.clear();
    for (std::size_t index = 0; index < tree.spans().size(); ++index) {
      if (tree.spans()[index].level == Level::pass) {
        pass_energies_.push_back(attribution.share(index, 0).energy);
      }
    }
    const RootDomain root{.domain = &domain_, .idle_power = Watts{1}};
    ProfiledRun run;
    tree.fill(attribution, std::span(&root, 1), run);
    return run;
  }

  static const ComponentFigure& component(const ProfiledRun& run, Phase phase, std::int32_t layer,
                                          std::string_view name) {
    const auto found = std::ranges::find_if(run.components, [&](const ComponentFigure& figure) {
      return figure.phase == phase && figure.layer == layer && figure.component == name;
    });
    if (found == run.components.end()) {
      throw std::logic_error("no component " + std::string(name));
    }
    return *found;
  }
  static const LayerFigure& layer(const ProfiledRun& run, Phase phase, std::int32_t number) {
    const auto found = std::ranges::find_if(run.layers, [&](const LayerFigure& figure) {
      return figure.phase == phase && figure.layer == number;
    });
    if (found == run.layers.end()) {
      throw std::logic_error("no layer " + std::to_string(number));
    }
    return *found;
  }

  Domain domain_ = domain_from_name("package-0");
  std::vector<Joules> pass_energies_;
};

TEST_F(LayerTreeTest, PassesBecomeATreeOfSpans) {
  const Recording recording = testing::small_recording();
  const LayerTree tree(recording.view());
  const std::vector<Span>& spans = tree.spans();
  // The recording has 9 spans. Each of 3 passes has itself, 2 gaps, 4 layers, and 1 + 3 + 2 + 1
  // components.
  ASSERT_EQ(spans.size(), recording.spans.size() + std::size_t{3} * (1 + 2 + 4 + 7));
  std::vector<Instant> filled(spans.size());
  for (std::size_t index = 1; index < spans.size(); ++index) {
    const Span& span = spans[index];
    ASSERT_GE(span.parent, 0);
    ASSERT_LT(static_cast<std::size_t>(span.parent), index);
    const Span& parent = spans[static_cast<std::size_t>(span.parent)];
    EXPECT_GE(span.begin, parent.begin);
    EXPECT_LE(span.end, parent.end);
    EXPECT_GE(span.begin, filled[static_cast<std::size_t>(span.parent)]);
    filled[static_cast<std::size_t>(span.parent)] = span.end;
    if (span.level > Level::pass) {
      EXPECT_EQ(span.phase, parent.phase);
      EXPECT_EQ(span.token, parent.token);
    }
  }
}

TEST_F(LayerTreeTest, SpansAfterAPassStillKnowTheirParents) {
  const Recording recording = testing::small_recording();
  const LayerTree tree(recording.view());
  std::size_t next = 0;
  for (const Span& span : tree.spans()) {
    if (span.level >= Level::pass) {
      continue;
    }
    const Span& original = recording.spans[next++];
    EXPECT_EQ(span.begin, original.begin);
    if (original.parent != Span::kNone) {
      EXPECT_EQ(tree.spans()[static_cast<std::size_t>(span.parent)].begin,
                recording.spans[static_cast<std::size_t>(original.parent)].begin);
      EXPECT_EQ(tree.spans()[static_cast<std::size_t>(span.parent)].level,
                recording.spans[static_cast<std::size_t>(original.parent)].level);
    }
  }
  EXPECT_EQ(next, recording.spans.size());
}

TEST_F(LayerTreeTest, FiguresByHand) {
  const ProfiledRun run = profiled(testing::small_recording(), testing::small_power());
  // Prefill: each operation 2 ms at 10 W.
  EXPECT_NEAR(layer(run, Phase::prefill, 0).figure.total->value(), 0.06, 1e-12);
  EXPECT_EQ(layer(run, Phase::prefill, 0).figure.duration, 6ms);
  EXPECT_NEAR(component(run, Phase::prefill, 0, "rope").figure.total->value(), 0.04, 1e-12);
  EXPECT_NEAR(component(run, Phase::prefill, 0, "k_proj").figure.baseline->value(), 0.002, 1e-12);
  // Decode: operations of token 0 begin at 42, those of token 1 at 72. Layer 1 is at 50–56 ms in
  // token 0, where power is double, and at 80–86 in token 1.
  EXPECT_NEAR(layer(run, Phase::decode, 1).figure.total->value(), 0.12 + 0.06, 1e-12);
  EXPECT_NEAR(component(run, Phase::decode, 1, "o_proj").figure.total->value(), 0.04 + 0.02, 1e-12);
  EXPECT_EQ(layer(run, Phase::decode, 1).count, 2U);
  // The component has two spans in each pass, but each pass counts once.
  EXPECT_EQ(component(run, Phase::decode, 0, "rope").count, 2U);
  EXPECT_EQ(component(run, Phase::decode, 0, "rope").figure.duration, 8ms);
  // Each pass has 1 ms before and 1 ms after its operations.
  EXPECT_EQ(component(run, Phase::decode, -1, "(self)").figure.duration, 4ms);
  EXPECT_EQ(component(run, Phase::decode, -1, "(self)").flops, std::nullopt);
  EXPECT_TRUE(run.operations.empty());
}

TEST_F(LayerTreeTest, EachTokenHasItsComponents) {
  const ProfiledRun run = profiled(testing::small_recording(), testing::small_power());
  const OperationTable& table = run.operation_table;
  const auto of_token = [&](std::int32_t token, std::int32_t layer, const std::string& component) {
    Joules energy;
    for (const OperationEvent& event : table.events) {
      const OperationInfo& info = table.operations[event.operation];
      if (event.token == token && info.layer == layer && info.component == component) {
        energy += *event.energy();
      }
    }
    return energy.value();
  };
  // Power is double while token 0 is in layer 1.
  EXPECT_NEAR(of_token(0, 1, "o_proj"), 0.04, 1e-12);
  EXPECT_NEAR(of_token(1, 1, "o_proj"), 0.02, 1e-12);
  EXPECT_NEAR(of_token(-1, 0, "rope"), 0.04, 1e-12);  // of the prompt
  for (const OperationInfo& info : table.operations) {
    EXPECT_TRUE(info.op.empty()) << "an entry is a whole component";
    EXPECT_TRUE(info.name.empty());
  }
  EXPECT_TRUE(std::ranges::is_sorted(table.events, {}, &OperationEvent::begin));
  for (const ComponentFigure& component : run.components) {
    if (component.layer == OperationInfo::kNoLayer) {
      continue;  // may be (self), which is not an operation
    }
    Joules sum;
    Nanoseconds time{0};
    for (const OperationEvent& event : table.events) {
      const OperationInfo& info = table.operations[event.operation];
      if (event.phase == component.phase && info.layer == component.layer &&
          info.component == component.component) {
        sum += *event.energy();
        time += Nanoseconds{event.duration_ns};
      }
    }
    EXPECT_NEAR(sum.value(), component.figure.total->value(), 1e-12) << component.component;
    EXPECT_EQ(time, component.figure.duration) << component.component;
  }
}

TEST_F(LayerTreeTest, WorkIsSummedOverThePasses) {
  Recording recording = testing::small_recording();
  OperationPlan plan = testing::small_plan();
  plan.operations[5].flops.reset();
  recording.passes.plans[0] = std::make_shared<const OperationPlan>(std::move(plan));
  const ProfiledRun run = profiled(recording, testing::small_power());
  EXPECT_EQ(component(run, Phase::decode, 0, "rope").flops, 2 * 2 * 10.0);
  EXPECT_EQ(component(run, Phase::prefill, 0, "rope").bytes, 2 * 100.0);
  EXPECT_EQ(component(run, Phase::decode, 1, "attention").flops, std::nullopt);  // one is unknown
  EXPECT_EQ(component(run, Phase::decode, 1, "attention").bytes, 2 * 2 * 100.0);
}

TEST_F(LayerTreeTest, OrderIsByPhaseLayerAndEnergy) {
  const ProfiledRun run = profiled(testing::small_recording(), testing::small_power());
  ASSERT_EQ(run.layers.size(), 6U);
  EXPECT_EQ(run.layers[0].phase, Phase::prefill);
  EXPECT_EQ(run.layers[0].layer, OperationInfo::kNoLayer);
  EXPECT_EQ(run.layers[5].layer, 1);
  for (std::size_t index = 1; index < run.components.size(); ++index) {
    const ComponentFigure& a = run.components[index - 1];
    const ComponentFigure& b = run.components[index];
    if (a.phase == b.phase && a.layer == b.layer) {
      EXPECT_GE(a.figure.total, b.figure.total);
    } else {
      EXPECT_LT((std::pair{a.phase, a.layer}), (std::pair{b.phase, b.layer}));
    }
  }
}

TEST_F(LayerTreeTest, APassWithoutStampsKeepsItsEnergy) {
  for (const PassState state : {PassState::discarded, PassState::mismatched, PassState::dropped}) {
    Recording recording = testing::small_recording();
    recording.passes.passes[1].state = state;
    recording.passes.passes[1].plan = 99;  // an unknown plan: it is not needed
    const ProfiledRun run = profiled(recording, testing::small_power());
    const ComponentFigure& untimed = component(run, Phase::decode, -1, "(untimed)");
    EXPECT_EQ(untimed.figure.duration, 18ms);
    EXPECT_NEAR(untimed.figure.total->value(), 0.18 + 0.09, 1e-12);
    EXPECT_EQ(untimed.flops, std::nullopt);
    EXPECT_EQ(layer(run, Phase::decode, 1).count, 1U);
    EXPECT_EQ(layer(run, Phase::decode, -1).count, 2U);
  }
}

TEST_F(LayerTreeTest, WithoutSensorsTimesRemain) {
  const ProfiledRun run = profiled(testing::small_recording(), {});
  EXPECT_FALSE(layer(run, Phase::decode, 0).figure.total);
  EXPECT_EQ(layer(run, Phase::decode, 0).figure.duration, 12ms);
}

TEST_F(LayerTreeTest, APassWithoutOperationsIsAllSelf) {
  Recording recording = testing::small_recording();
  recording.passes.plans = {std::make_shared<const OperationPlan>()};
  for (PassRecord& pass : recording.passes.passes) {
    pass.stamp_count = 0;
  }
  const ProfiledRun run = profiled(recording, testing::small_power());
  EXPECT_EQ(component(run, Phase::decode, -1, "(self)").figure.duration, 36ms);
}

TEST_F(LayerTreeTest, StampsThatAreMissingAreAnError) {
  Recording recording = testing::small_recording();
  recording.passes.stamps.pop_back();
  EXPECT_THROW(const LayerTree tree(recording.view()), std::out_of_range);
}

TEST_F(LayerTreeTest, AnUnknownPlanIsAnError) {
  Recording recording = testing::small_recording();
  recording.passes.plans[0] = nullptr;
  EXPECT_THROW(const LayerTree tree(recording.view()), std::out_of_range);
  recording.passes.plans.clear();
  EXPECT_THROW(const LayerTree tree(recording.view()), std::out_of_range);
}

TEST_F(LayerTreeTest, PrefillLayersAreCounted) {
  const Recording recording = testing::small_recording();
  EXPECT_EQ(LayerTree(recording.view()).prefill_layer_timings(), 2U);
}

// ---- what must hold for any run ----------------------------------------------------------------

/// Random plans, times and power.
class AnyRun : public LayerTreeTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  AnyRun() : random_(GetParam()) {
    recording_.names = {"run", "forward"};
    const std::size_t plans = pick(1, 3);
    for (std::size_t plan = 0; plan < plans; ++plan) {
      recording_.passes.plans.push_back(std::make_shared<const OperationPlan>(make_plan()));
    }
    double now = 0;
    recording_.spans.push_back({.begin = at_ms(0), .level = Level::run});
    for (const Phase phase : {Phase::prefill, Phase::decode}) {
      const auto parent = open(now, 0, Level::phase, phase, Span::kNone);
      for (std::size_t count = pick(1, 20); count > 0; --count) {
        const auto token =
            open(now, parent, Level::token, phase, static_cast<std::int32_t>(tokens_++));
        make_pass(now, open(now, token, Level::section, phase, span(token).token));
        close(token + 1, now);
        close(token, now += milliseconds());
      }
      close(parent, now += milliseconds());
    }
    recording_.token_texts.resize(tokens_);
    close(0, now);
    for (double begin = -1; begin < now; begin += 1.7) {
      windows_.push_back({.begin = at_ms(begin),
                          .end = at_ms(begin + 1.7),
                          .energy = Joules{milliseconds() * 0.01}});
    }
  }

  std::size_t pick(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random_);
  }
  double milliseconds() { return std::exponential_distribution<double>(5)(random_); }
  OperationPlan make_plan() {
    OperationPlan plan;
    for (std::size_t count = pick(0, 60); count > 0; --count) {
      plan.operations.push_back({.layer = static_cast<std::int32_t>(pick(0, 3)) - 1,
                                 .component = std::string(1, static_cast<char>('a' + pick(0, 2))),
                                 .op = std::string(1, static_cast<char>('A' + pick(0, 2))),
                                 .flops = pick(0, 30) == 0 ? std::nullopt : std::optional{1.0}});
    }
    return plan;
  }
  Span& span(std::int32_t index) { return recording_.spans[static_cast<std::size_t>(index)]; }
  std::int32_t open(double now, std::int32_t parent, Level level, Phase phase, std::int32_t token) {
    recording_.spans.push_back({.begin = at_ms(now),
                                .parent = parent,
                                .token = token,
                                .name = static_cast<std::uint16_t>(level == Level::section),
                                .level = level,
                                .phase = phase});
    return static_cast<std::int32_t>(recording_.spans.size()) - 1;
  }
  void close(std::int32_t index, double now) { span(index).end = at_ms(now); }
  void make_pass(double& now, std::int32_t parent) {
    PassRecording& passes = recording_.passes;
    PassRecord pass{.begin = at_ms(now += milliseconds()),
                    .start = at_ms(now += pick(0, 1) == 0 ? 0 : milliseconds()),
                    .place = {.parent = parent,
                              .spans_before = static_cast<std::uint32_t>(recording_.spans.size())},
                    .plan = static_cast<std::uint32_t>(pick(0, passes.plans.size() - 1)),
                    .state = pick(0, 5) == 0 ? PassState::discarded : PassState::complete};
    std::vector<Instant> ends;
    for (std::size_t count = passes.plans[pass.plan]->operations.size(); count > 0; --count) {
      ends.push_back(at_ms(now += milliseconds()));
    }
    pass.end = at_ms(now += milliseconds());
    passes.add(pass, ends);
  }

  std::mt19937 random_;
  Recording recording_;
  std::vector<EnergyWindow> windows_;
  std::size_t tokens_ = 0;
};

void expect_near(Joules a, Joules b) {
  EXPECT_NEAR(a.value(), b.value(), 1e-9 * std::max(1e-3, std::abs(b.value())));
}

TEST_P(AnyRun, EnergyIsConservedAtEachLevel) {
  for (const bool deep : {false, true}) {
    const ProfiledRun run = deep ? profiled<OperationTree>(recording_, windows_, false)
                                 : profiled<LayerTree>(recording_, windows_, false);
    for (const Phase phase : {Phase::prefill, Phase::decode}) {
      Joules passes;
      Nanoseconds time{0};
      for (std::size_t index = 0; index < recording_.passes.passes.size(); ++index) {
        const PassRecord& pass = recording_.passes.passes[index];
        if (span(pass.place.parent).phase == phase) {
          passes += pass_energies_[index];
          time += pass.end - pass.begin;
        }
      }
      Joules layers;
      for (const LayerFigure& layer : run.layers) {
        if (layer.phase != phase) {
          continue;
        }
        layers += *layer.figure.total;
        time -= layer.figure.duration;
        Joules components;
        Nanoseconds within = layer.figure.duration;
        for (const ComponentFigure& component : run.components) {
          if (component.phase == phase && component.layer == layer.layer) {
            components += *component.figure.total;
            within -= component.figure.duration;
          }
        }
        expect_near(components, *layer.figure.total);
        EXPECT_EQ(within, 0ns);
      }
      expect_near(layers, passes);
      EXPECT_EQ(time, 0ns);
    }
  }
}

TEST_P(AnyRun, LeavesFillEachPassAndHaveAClassEach) {
  for (const bool deep : {false, true}) {
    const std::unique_ptr<LayerTree> tree = deep
                                                ? std::make_unique<OperationTree>(recording_.view())
                                                : std::make_unique<LayerTree>(recording_.view());
    const std::vector<Span>& spans = tree->spans();
    ASSERT_EQ(tree->classes().size(), spans.size());
    std::vector<bool> has_children(spans.size(), false);
    for (const Span& span : spans) {
      if (span.parent != Span::kNone) {
        has_children[static_cast<std::size_t>(span.parent)] = true;
      }
    }
    Nanoseconds leaves{0};
    Nanoseconds passes{0};
    for (std::size_t index = 0; index < spans.size(); ++index) {
      passes += spans[index].level == Level::pass ? spans[index].duration() : 0ns;
      const bool is_leaf = spans[index].level >= Level::pass && !has_children[index];
      EXPECT_EQ(tree->classes()[index] != kNoClass, is_leaf);
      if (is_leaf) {
        leaves += spans[index].duration();
        EXPECT_EQ(tree->class_names()[tree->classes()[index]]->phase, spans[index].phase);
      }
    }
    EXPECT_EQ(leaves, passes);
  }
}

TEST_P(AnyRun, DeepAndModuleAgreeOnLayersAndComponents) {
  const ProfiledRun module = profiled<LayerTree>(recording_, windows_);
  const ProfiledRun deep = profiled<OperationTree>(recording_, windows_);
  ASSERT_EQ(module.layers.size(), deep.layers.size());
  for (const LayerFigure& figure : module.layers) {
    const LayerFigure& other = layer(deep, figure.phase, figure.layer);
    EXPECT_EQ(figure.count, other.count);
    EXPECT_EQ(figure.figure.duration, other.figure.duration);
    expect_near(*figure.figure.total, *other.figure.total);
    EXPECT_NEAR(*figure.figure.quality.resolution, *other.figure.quality.resolution, 1e-6);
  }
  ASSERT_EQ(module.components.size(), deep.components.size());
  for (const ComponentFigure& figure : module.components) {
    const ComponentFigure& other = component(deep, figure.phase, figure.layer, figure.component);
    EXPECT_EQ(figure.count, other.count);
    EXPECT_EQ(figure.flops, other.flops);
    EXPECT_EQ(figure.figure.duration, other.figure.duration);
    expect_near(*figure.figure.total, *other.figure.total);
    EXPECT_NEAR(*figure.figure.quality.resolution, *other.figure.quality.resolution, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, AnyRun, ::testing::Range(0U, 40U));

}  // namespace
}  // namespace enprof
