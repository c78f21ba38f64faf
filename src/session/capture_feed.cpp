#include "session/capture_feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <ranges>
#include <string_view>

namespace enprof {
namespace {

/// Changes of caches that are kept. Later ones decide nothing: positions still do.
constexpr std::size_t kMostChanges = std::size_t{1} << 20U;
/// Tokens that are kept, for texts.
constexpr std::size_t kMostTokens = std::size_t{1} << 24U;
/// No plan: a pass of it has no operations.
constexpr std::uint32_t kNoPlan = std::numeric_limits<std::uint32_t>::max();
/// Texts of a model are no longer than this.
constexpr std::size_t kMostText = 4096;
/// Contexts that are kept apart: a program may make one for each request. Later ones count as the
/// last.
constexpr std::size_t kMostContexts = 4096;
/// Sequences whose positions are remembered, of a context that does not tell them.
constexpr std::size_t kMostSequences = 4096;

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

std::optional<int> known(std::uint32_t number) {
  constexpr auto kMost = static_cast<std::uint32_t>(std::numeric_limits<int>::max());
  return number == 0 || number > kMost ? std::nullopt : std::optional{static_cast<int>(number)};
}

std::optional<std::uint64_t> known_size(std::uint64_t number) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return number == 0 || number > kMost ? std::nullopt : std::optional{number};
}

/// "llama 1B Q4_K - Medium" is architecture, size and type of the weights.
std::string quantization_in(std::string_view description) {
  for (int word = 0; word < 2; ++word) {
    const std::size_t blank = description.find(' ');
    description.remove_prefix(blank == std::string_view::npos ? description.size() : blank + 1);
  }
  return std::string{description};
}

}  // namespace

/// What one ring tells, of one context after the other.
class CaptureFeed::Sink final : public ToldSink {
 public:
  Sink(CaptureFeed& feed, pid_t pid) : feed_(feed), pid_(pid) {}

  void on_context(const ToldContext& told) override {
    context_ = std::make_unique<Context>();
    texts_.clear();
    feed_.add_context(pid_, told, *context_);
  }
  void on_text(std::uint32_t, ToldText which, const std::string& piece) override {
    std::string& text = texts_[which];
    text += piece.substr(0, kMostText - std::min(text.size(), kMostText));
    ModelFacts& facts = model().facts;
    switch (which) {
      case ToldText::model_name:
        facts.name = text;
        break;
      case ToldText::architecture:
        facts.architecture = text;
        break;
      case ToldText::model_path:
        facts.path = text;
        if (texts_[ToldText::model_name].empty()) {
          facts.name = std::filesystem::path{text}.stem().string();
        }
        break;
      case ToldText::description:
        facts.quantization = quantization_in(text);
        break;
    }
  }
  void on_model(std::uint32_t, Instant begin, Instant end) override {
    if (feed_.use_known_model(pid_, begin, context())) {
      return;  // another context has it, too
    }
    model().begin = begin;
    model().loaded = end;
    model().facts.load_time = end - begin;
    feed_.recording_.work.push_back(
        {.kind = CapturedWorkKind::loading, .begin = begin, .end = end});
  }
  void on_graph(std::uint32_t, ToldGraph graph) override {
    const std::uint32_t number = graph.number;
    // The probe keeps few apart; what it forgot it tells again.
    if (context().graphs.size() >= kMostPlans) {
      context().graphs.erase(context().graphs.begin());
    }
    context().graphs[number] = feed_.share(std::move(graph), context().fusion);
  }
  void on_pass(std::uint32_t, ToldPass pass) override { feed_.add(context(), std::move(pass)); }
  void on_memory(std::uint32_t, const ToldMemory& memory) override {
    feed_.add({.context = context().index, .change = memory});
  }
  void on_context_end(std::uint32_t, Instant) override {}

 private:
  /// The first record of a ring should be a context; it may have been dropped.
  Context& context() {
    if (!context_) {
      on_context({});
    }
    return *context_;
  }
  CapturedModel& model() {
    return feed_.recording_.models[feed_.recording_.contexts[context().index].model];
  }

  CaptureFeed& feed_;
  pid_t pid_;
  std::unique_ptr<Context> context_;
  std::map<ToldText, std::string> texts_;
};

CaptureFeed::CaptureFeed(PlanToldGraph plan, LiveRequests* live)
    : plan_(std::move(plan)), live_(live) {}

CaptureFeed::~CaptureFeed() = default;

std::unique_ptr<ToldSink> CaptureFeed::make_sink(pid_t pid) {
  return std::make_unique<Sink>(*this, pid);
}

void CaptureFeed::end_process(pid_t pid, Instant at) {
  for (std::size_t model = 0; model < process_of_.size(); ++model) {
    if (process_of_[model] == pid && !recording_.models[model].freed) {
      recording_.models[model].freed = at;
    }
  }
}

void CaptureFeed::add_context(pid_t pid, const ToldContext& told, Context& context) {
  context.fusion = told.fusion;
  if (recording_.contexts.size() == kMostContexts) {
    context.index = static_cast<std::uint32_t>(kMostContexts - 1);
    return;
  }
  CapturedModel model{.facts = {}, .begin = told.at, .loaded = told.at};
  model.facts.engine = "llama.cpp";
  model.facts.parameters = known_size(told.model_parameters);
  model.facts.weight_bytes = known_size(told.model_bytes);
  model.facts.layers = known(told.layers);
  model.facts.embedding_width = known(told.embedding);
  model.facts.heads = known(told.heads);
  model.facts.kv_heads = known(told.kv_heads);
  model.facts.context = known(told.n_ctx);
  model.facts.threads = known(told.threads);
  context.index = static_cast<std::uint32_t>(recording_.contexts.size());
  const std::optional<int> positions =
      known(told.n_seq_max == 0 ? told.n_ctx : told.n_ctx / told.n_seq_max);
  recording_.contexts.push_back(
      {.model = static_cast<std::uint32_t>(recording_.models.size()), .positions = positions});
  recording_.models.push_back(std::move(model));
  process_of_.push_back(pid);
  passes_of_.push_back(0);
}

bool CaptureFeed::use_known_model(pid_t pid, Instant begin, const Context& context) {
  std::vector<CapturedModel>& models = recording_.models;
  CapturedContext& captured = recording_.contexts[context.index];
  for (std::uint32_t model = 0; model < models.size(); ++model) {
    if (model != captured.model && process_of_[model] == pid && models[model].begin == begin &&
        models[model].facts.load_time) {
      if (captured.model + std::size_t{1} == models.size()) {
        models.pop_back();
        process_of_.pop_back();
      }
      captured.model = model;
      return true;
    }
  }
  return false;
}

// ---- plans -------------------------------------------------------------------------------------

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
  auto graph =
      std::make_shared<Graph>(Graph{.told = std::move(told), .fusion = fusion, .plans = {}});
  if (graphs_.size() < kMostPlans) {
    graphs_.emplace(hash, graph);
  }
  return graph;
}

std::uint32_t CaptureFeed::add_plan(OperationPlan plan) {
  if (recording_.passes.plans.size() >= kMostPlans) {
    counts_.too_many_plans = true;
    return kNoPlan;
  }
  recording_.passes.plans.push_back(std::make_shared<const OperationPlan>(std::move(plan)));
  return static_cast<std::uint32_t>(recording_.passes.plans.size() - 1);
}

std::uint32_t CaptureFeed::plan_of(Graph& graph, std::size_t stamps) {
  const auto [place, is_new] = graph.plans.try_emplace(stamps, kNoPlan);
  if (is_new) {
    if (auto plan = plan_(graph.told, graph.fusion, stamps)) {
      place->second = add_plan(*std::move(plan));
    }
  }
  return place->second;
}

std::uint32_t CaptureFeed::join(std::vector<std::uint32_t> plans) {
  if (const auto found = joined_.find(plans); found != joined_.end()) {
    return found->second;
  }
  OperationPlan all;
  for (const std::uint32_t plan : plans) {
    if (!all.operations.empty()) {
      all.operations.push_back({.component = kBetweenGraphs});
    }
    const auto& operations = recording_.passes.plans[plan]->operations;
    all.operations.insert(all.operations.end(), operations.begin(), operations.end());
  }
  return joined_[std::move(plans)] = add_plan(std::move(all));
}

std::uint32_t CaptureFeed::plan_of(Context& context, const ToldPass& pass) {
  ends_.clear();
  std::vector<std::uint32_t> plans;
  Instant last = pass.begin;
  for (const ToldSegment& segment : pass.segments) {
    const auto graph = context.graphs.find(segment.graph);
    const bool is_sound = segment.begin >= last && segment.ends.back() <= pass.end;
    const std::uint32_t plan = graph == context.graphs.end() || !is_sound
                                   ? kNoPlan
                                   : plan_of(*graph->second, segment.ends.size());
    if (plan == kNoPlan) {
      return kNoPlan;
    }
    if (!plans.empty()) {
      ends_.push_back(segment.start);
    }
    plans.push_back(plan);
    ends_.insert(ends_.end(), segment.ends.begin(), segment.ends.end());
    last = segment.ends.back();
  }
  return plans.size() == 1 ? plans.front() : join(std::move(plans));
}

// ---- passes ------------------------------------------------------------------------------------

void CaptureFeed::add(Context& context, ToldPass told) {
  ++counts_.passes;
  ++passes_of_[context.index];
  counts_.failed += told.result != 0 ? 1 : 0;
  counts_.own_callbacks += told.has_own_callback ? 1 : 0;
  counts_.other_sequences += told.other_sequences;
  if (recording_.passes.passes.size() == kMostPasses) {
    ++recording_.lost_passes;
    return;
  }
  PassRecord pass{.begin = told.begin, .start = told.begin, .end = told.end, .plan = kNoPlan};
  ends_.clear();
  if (plan_ && (told.segments.empty() || told.lost_segments)) {
    ++counts_.untimed;
  } else if (plan_) {
    pass.plan = plan_of(context, told);
    counts_.unplanned += pass.plan == kNoPlan ? 1 : 0;
  }
  if (pass.plan == kNoPlan || recording_.passes.stamps.size() + ends_.size() > kMostStamps) {
    pass.state = pass.plan == kNoPlan ? PassState::discarded : PassState::dropped;
    ends_.clear();
  } else {
    pass.start = told.segments.front().start;
  }
  if (told.result != 0) {
    told.sequences.clear();  // nothing of it was kept
    told.token_ids.clear();
  }
  for (BatchSequence& sequence : told.sequences) {
    std::int32_t unknown = 0;
    const bool has_room = context.next_position.size() < kMostSequences;
    std::int32_t& next = has_room ? context.next_position[sequence.id] : unknown;
    if (sequence.first_position < 0) {
      sequence.first_position = next;
    }
    constexpr std::int64_t kMostPosition = std::numeric_limits<std::int32_t>::max();
    next = static_cast<std::int32_t>(
        std::min(std::int64_t{sequence.first_position} + sequence.tokens, kMostPosition));
  }
  if (recording_.token_ids.size() + told.token_ids.size() > kMostTokens) {
    told.token_ids.clear();
  }
  recording_.add_pass(context.index, pass, ends_, told.sequences, told.token_ids);
  if (live_ != nullptr) {
    live_->add(context.index, recording_.contexts, pass, told.sequences);
  }
}

void CaptureFeed::add(const CapturedChange& change) {
  if (recording_.changes.size() == kMostChanges) {
    return;
  }
  recording_.changes.push_back(change);
  if (live_ != nullptr) {
    live_->add(change);
  }
}

std::shared_ptr<CaptureRecording> CaptureFeed::finish(Instant begin, Instant end) {
  if (counts_.passes == 0) {
    return nullptr;
  }
  auto recording = std::make_shared<CaptureRecording>(std::move(recording_));
  recording->begin = begin;
  recording->end = end;
  std::vector<PassRecord>& passes = recording->passes.passes;
  std::vector<std::size_t> order(passes.size());
  std::ranges::copy(std::views::iota(std::size_t{0}, order.size()), order.begin());
  std::ranges::stable_sort(order, {}, [&](std::size_t index) { return passes[index].begin; });
  std::vector<PassRecord> sorted;
  std::vector<std::uint32_t> context_of;
  sorted.reserve(order.size());
  context_of.reserve(order.size());
  for (const std::size_t index : order) {
    // A program's clock is ours; what lies outside the program's life is damaged, or an echo.
    if (passes[index].begin >= begin && passes[index].end <= end) {
      sorted.push_back(passes[index]);
      context_of.push_back(recording->context_of[index]);
    } else {
      ++recording->lost_passes;
    }
  }
  passes = std::move(sorted);
  recording->context_of = std::move(context_of);
  std::erase_if(recording->work,
                [&](const CapturedWork& work) { return work.begin < begin || work.end > end; });
  std::ranges::stable_sort(recording->work, {}, &CapturedWork::begin);
  std::ranges::stable_sort(recording->changes, {},
                           [](const CapturedChange& change) { return change.change.at; });
  for (CapturedModel& model : recording->models) {
    model.begin = std::clamp(model.begin, begin, end);
    model.loaded = std::clamp(model.loaded, model.begin, end);
  }
  return recording;
}

std::optional<ModelFacts> CaptureFeed::model() const {
  const auto most = std::ranges::max_element(passes_of_);
  if (most == passes_of_.end() || recording_.contexts.empty()) {
    return std::nullopt;
  }
  const auto context = static_cast<std::size_t>(most - passes_of_.begin());
  return recording_.models[recording_.contexts[context].model].facts;
}

}  // namespace enprof
