#include "session/capture_feed.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>

namespace enprof {
namespace {

/// No plan of the run: a pass of it has no operations.
constexpr std::uint32_t kNoPlan = std::numeric_limits<std::uint32_t>::max();
constexpr const char* kDecode = "llama_decode";
constexpr const char* kEncode = "llama_encode";
constexpr const char* kIdleSection = "idle";
/// Texts of a model are no longer than this.
constexpr std::size_t kMostText = 4096;
/// Contexts that are remembered: a program may make one for each request.
constexpr std::size_t kMostContexts = 256;

std::size_t hash_of(const ToldGraph& graph) {
  std::size_t hash = graph.nodes;
  const auto mix = [&](std::size_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15U; };
  for (const ToldTensor& tensor : graph.tensors) {
    mix(std::hash<std::string_view>{}(tensor.name));
    for (const std::int64_t extent : tensor.extents) {
      mix(static_cast<std::size_t>(extent));
    }
  }
  return hash;
}

}  // namespace

Phase phase_of(const ToldPass& pass) {
  const bool is_step = !pass.is_encode && pass.other_tokens == pass.other_sequences &&
                       std::ranges::all_of(pass.sequences, [](const BatchSequence& sequence) {
                         return sequence.tokens == 1;
                       });
  return is_step ? Phase::decode : Phase::prefill;
}

/// What one ring tells, of one context after the other.
class CaptureFeed::Sink final : public ToldSink {
 public:
  explicit Sink(CaptureFeed& feed) : feed_(feed) {}

  void on_context(const ToldContext& told) override {
    context_ = std::make_shared<Context>();
    context_->facts = told;
    ++feed_.counts_.contexts;
    if (feed_.contexts_.size() < kMostContexts) {
      feed_.contexts_.push_back(context_);
    }
  }
  void on_text(std::uint32_t, ToldText which, const std::string& piece) override {
    std::string& text = which == ToldText::model_name     ? context().model_name
                        : which == ToldText::architecture ? context().architecture
                        : which == ToldText::description  ? context().description
                                                          : context().path;
    text += piece.substr(0, kMostText - std::min(text.size(), kMostText));
  }
  void on_model(std::uint32_t, Instant begin, Instant end) override {
    context().load_time = end - begin;
  }
  void on_graph(std::uint32_t, ToldGraph graph) override {
    const std::uint32_t number = graph.number;
    context().graphs[number] = feed_.share(std::move(graph), context().facts.fusion);
    // The probe keeps few apart; what it forgot it tells again.
    if (context().graphs.size() > kMostPlans) {
      context().graphs.erase(context().graphs.begin());
    }
  }
  void on_pass(std::uint32_t, ToldPass pass) override {
    feed_.waiting_.push_back({context_ptr(), std::move(pass)});
  }
  void on_memory(std::uint32_t, const ToldMemory&) override {}
  void on_context_end(std::uint32_t, Instant) override {}

 private:
  /// The first record of a ring should be a context; it may have been dropped.
  const std::shared_ptr<Context>& context_ptr() {
    if (!context_) {
      context_ = std::make_shared<Context>();
    }
    return context_;
  }
  Context& context() { return *context_ptr(); }

  CaptureFeed& feed_;
  std::shared_ptr<Context> context_;
};

CaptureFeed::CaptureFeed(RunScope& run, Instant begin, PlanToldGraph plan)
    : run_(run), last_end_(begin), plan_(std::move(plan)) {}

CaptureFeed::~CaptureFeed() = default;

std::unique_ptr<ToldSink> CaptureFeed::make_sink(pid_t) { return std::make_unique<Sink>(*this); }

/// One graph for all contexts that build it, as many kinds are the same.
std::shared_ptr<CaptureFeed::Graph> CaptureFeed::share(ToldGraph told, bool fusion) {
  const std::size_t hash = hash_of(told);
  const auto [first, last] = graphs_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    const ToldGraph& other = known->second->told;
    if (known->second->fusion == fusion && other.nodes == told.nodes &&
        other.tensors == told.tensors) {
      return known->second;
    }
  }
  auto graph = std::make_shared<Graph>(Graph{.told = std::move(told), .fusion = fusion});
  if (graphs_.size() < kMostPlans) {
    graphs_.emplace(hash, graph);
  }
  return graph;
}

std::uint32_t CaptureFeed::plan_of(Graph& graph, std::size_t stamps) {
  const auto [place, is_new] = graph.plans.try_emplace(stamps);
  if (is_new) {
    if (plan_count_ >= kMostPlans) {
      counts_.too_many_plans = true;
      graph.plans.erase(place);
      return kNoPlan;
    }
    if (auto plan = plan_(graph.told, graph.fusion, stamps)) {
      place->second = run_.add_plan(*std::move(plan));
      ++plan_count_;
    }
  }
  return place->second.value_or(kNoPlan);
}

void CaptureFeed::flush() {
  std::ranges::stable_sort(waiting_, {}, [](const Waiting& waiting) { return waiting.pass.end; });
  for (Waiting& waiting : waiting_) {
    add(waiting);
  }
  waiting_.clear();
}

void CaptureFeed::add(Waiting& waiting) {
  ToldPass& told = waiting.pass;
  ++counts_.passes;
  ++waiting.context->passes;
  counts_.failed += told.result != 0 ? 1 : 0;
  counts_.own_callbacks += told.has_own_callback ? 1 : 0;
  const Phase phase = phase_of(told);
  const bool is_token = phase == Phase::decode && told.result == 0 && told.outputs > 0;
  if (told.result == 0) {
    (phase == Phase::decode ? counts_.output_tokens : counts_.prompt_tokens) += told.tokens;
  }
  const bool overlaps = told.begin < last_end_;
  if (overlaps) {
    ++counts_.overlapped;
    if (told.end <= last_end_) {
      return;
    }
  } else if (!has_begun_) {
    run_.enter_past(Phase::pre_inference, last_end_);  // until now it was loading
  } else if (told.begin - last_end_ > kIdle) {
    run_.add_past({.phase = Phase::pre_inference,
                   .section = kIdleSection,
                   .begin = last_end_,
                   .end = told.begin});
  }
  has_begun_ = true;
  const Instant begin = std::max(told.begin, last_end_);
  parts_.clear();
  if (plan_ && told.segments.empty()) {
    ++counts_.untimed;
  }
  for (std::size_t index = 0; plan_ && !overlaps && index < told.segments.size(); ++index) {
    const ToldSegment& segment = told.segments[index];
    const Instant end =
        index + 1 < told.segments.size() ? told.segments[index + 1].begin : told.end;
    const bool is_sound = segment.begin >= begin && segment.ends.back() <= end && end <= told.end;
    const auto graph = waiting.context->graphs.find(segment.graph);
    if (!is_sound) {
      continue;
    }
    const std::uint32_t plan = graph == waiting.context->graphs.end()
                                   ? kNoPlan
                                   : plan_of(*graph->second, segment.ends.size());
    counts_.unplanned += plan == kNoPlan ? 1 : 0;
    parts_.push_back({.plan = plan,
                      .begin = segment.begin,
                      .start = segment.start,
                      .end = end,
                      .ends = segment.ends});
  }
  run_.add_past({.phase = phase,
                 .section = told.is_encode ? kEncode : kDecode,
                 .is_token = is_token,
                 .begin = begin,
                 .end = told.end,
                 .graphs = parts_,
                 .batch = told.sequences});
  last_end_ = told.end;
}

void CaptureFeed::finish() {
  flush();
  if (has_begun_) {
    run_.enter_past(Phase::post_inference, last_end_);
  }
}

std::optional<ModelFacts> CaptureFeed::model() const {
  const auto most = std::ranges::max_element(
      contexts_, {}, [](const std::shared_ptr<Context>& context) { return context->passes; });
  if (most == contexts_.end()) {
    return std::nullopt;
  }
  const Context& context = **most;
  const auto known = [](auto number) {
    return number == 0 ? std::nullopt : std::optional{static_cast<int>(number)};
  };
  const auto known_size = [](std::uint64_t number) {
    return number == 0 ? std::nullopt : std::optional{number};
  };
  ModelFacts facts;
  facts.architecture = context.architecture;
  facts.parameters = known_size(context.facts.model_parameters);
  facts.weight_bytes = known_size(context.facts.model_bytes);
  facts.layers = known(context.facts.layers);
  facts.embedding_width = known(context.facts.embedding);
  facts.context = known(context.facts.n_ctx);
  facts.threads = known(context.facts.threads);
  facts.load_time = context.load_time;
  return facts;
}

}  // namespace enprof
