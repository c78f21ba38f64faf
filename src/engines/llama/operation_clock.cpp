#include "engines/llama/operation_clock.hpp"

#include "profile/component_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <span>
#include <utility>

namespace enprof {
namespace {

/// Nodes of all parts of a pass for which room is made beforehand: 100 layers of 40. More find room
/// as they come.
constexpr std::size_t kUsualNodes = 4096;
/// Graphs whose plans have room made beforehand: prefill's, decode's, and decode's next one. Where
/// one of them is used, room for another is made after the pass.
constexpr std::size_t kUsualGraphs = 3;
/// Nodes of a graph, where the model's are not known.
constexpr std::size_t kUsualGraphNodes = 1024;
/// No plan of the run: a pass of it is counted as one that did not follow its plan.
constexpr std::uint32_t kNoPlan = std::numeric_limits<std::uint32_t>::max();

bool eval_callback(ggml_tensor* node, bool ask, void* clock) {
  return static_cast<OperationClock*>(clock)->on_node(node, ask);
}
bool abort_callback(void* clock) { return static_cast<OperationClock*>(clock)->on_executed(); }

}  // namespace

OperationClock::OperationClock(RunScope& run, const Options& options, const Clock& clock)
    : run_(run),
      options_(options),
      clock_(clock),
      finest_(options.offloaded ? HookDepth::components : HookDepth::operations),
      usual_nodes_(std::max(options.graph_nodes, kUsualGraphNodes)) {}

OperationClock::~OperationClock() = default;

Result<HookOffer> OperationClock::offer(HookDepth depth) const {
  if (depth == HookDepth::operations && options_.offloaded) {
    return fail(ErrorCode::unsupported, "A GPU computes the model",
                "Pass -ngl 0 to compute on the CPU, or --depth minimal.");
  }
  if (!finest_ || depth > *finest_) {
    return fail(ErrorCode::unavailable, "The operation clock has failed in this run");
  }
  return HookOffer{.slows_down = depth == HookDepth::components};
}

Result<void> OperationClock::attach(HookDepth depth, bool values) {
  if (const auto offered = offer(depth); !offered) {
    return std::unexpected(offered.error());
  }
  if (ends_.empty()) {
    make_room();
  }
  attached_ = depth;
  sampler_ = values ? options_.sampler : nullptr;
  return {};
}

/// llama.cpp keeps the callbacks as long as the context, so they answer that nothing is wanted.
Result<void> OperationClock::detach() {
  attached_.reset();
  return {};
}

/// Before the first pass, as it takes time.
void OperationClock::make_room() {
  const std::size_t most = std::max(options_.graph_nodes, kUsualNodes);
  room_ = PlanRoom(0, usual_nodes_);
  graphs_.reserve(kMostGraphs);
  for (std::size_t graph = 0; graph < kUsualGraphs; ++graph) {
    make_spare();
  }
  make_touched_room(nodes_, most);
  make_touched_room(end_nodes_, most);  // components may follow
  ends_.resize(most);
}

/// Makes room for one more graph and touches it, while nothing is being computed.
void OperationClock::make_spare() {
  room_.add(usual_nodes_);
  spare_.push_back(std::make_unique<KnownGraph>());
  make_touched_room(spare_.back()->fingerprints, usual_nodes_);
  make_touched_room(spare_.back()->component_end, usual_nodes_);
}

void OperationClock::set_callbacks(llama_context_params& params) noexcept {
  if (attached_) {
    params.cb_eval = eval_callback;
    params.cb_eval_user_data = this;
  }
  params.abort_callback = abort_callback;  // attached or not: it reports a stop too
  params.abort_callback_data = this;
}

void OperationClock::begin_pass(Phase phase, std::int32_t token,
                                const BatchSequence& sequence) noexcept {
  forget_nodes();
  phase_ = phase;
  several_graphs_ = false;
  sequence_ = sequence;
  borders_.restart();
  pass_begin_ = clock_.now();
  pass_ = attached_ == HookDepth::operations   ? PassKind::timed
          : attached_ == HookDepth::components ? PassKind::split
                                               : PassKind::ignored;
  // Which nodes to look at is known once a decode pass has been seen.
  if (sampler_ != nullptr && phase == Phase::decode && sampler_->is_due() &&
      pass_ != PassKind::ignored && last_ != nullptr && last_phase_ == Phase::decode) {
    pass_ = PassKind::sampled;
    sampler_->begin(phase, token);
  }
}

Result<void> OperationClock::end_pass(bool completed) {
  if (completed && !failed_) {
    switch (pass_) {
      case PassKind::timed:
        close_segment();
        break;
      case PassKind::split:
        end_split();
        break;
      case PassKind::sampled:
        end_sampled();
        break;
      case PassKind::ignored:
        break;
    }
  } else if (pass_ == PassKind::sampled) {
    sampler_->end(false);
  }
  last_phase_ = phase_;
  pass_ = PassKind::ignored;
  if (spare_.empty() && attached_ && graphs_.size() < kMostGraphs) {
    make_spare();  // here and not where the next graph is learned: it is being computed then
  }
  if (!trouble_) {
    return {};
  }
  return std::unexpected(*std::exchange(trouble_, std::nullopt));
}

bool OperationClock::on_node(ggml_tensor* node, bool ask_first) noexcept {
  try {
    if (failed_) {
      return !ask_first;
    }
    if (ask_first) {
      return ask(*node);
    }
    look(*node);
  } catch (const std::exception& error) {
    fail_pass(error.what());
  } catch (...) {
    fail_pass("an unknown exception");
  }
  return !ask_first;  // no to what else is asked; to the data, anything but a no
}

bool OperationClock::on_executed() noexcept {
  if (pass_ == PassKind::timed) {
    const Instant now = clock_.now();
    try {
      if (stamps_ == 0) {
        resolve();
      }
      if (stamps_ < ends_.size()) {
        ends_[stamps_] = now;
      }
      ++stamps_;
      if (stamps_ == expected_ && graph_ == nullptr) {
        graph_ = learn();  // the tensors may be gone when the next graph comes
      }
    } catch (const std::exception& error) {
      fail_pass(error.what());
    } catch (...) {
      fail_pass("an unknown exception");
    }
    tell_border(now);
  } else if (borders_.is_due()) {
    const Instant now = clock_.now();
    tell_border(now);
    borders_.plan(now, border_due_);
  }
  return options_.stop.stop_requested();
}

void OperationClock::tell_border(Instant now) noexcept {
  if (now >= border_due_) {
    border_due_ = run_.at_border(now);
  }
}

/// Whether llama.cpp is to stop after this node.
bool OperationClock::ask(const ggml_tensor& node) {
  if (pass_ == PassKind::ignored) {
    return false;
  }
  if (pass_ == PassKind::timed && stamps_ != 0) {
    close_segment();
  }
  if (pass_ != PassKind::timed && !nodes_.empty() && nodes_.front() == &node) {
    several_graphs_ = true;
  }
  const std::size_t index = nodes_.size();
  nodes_.push_back(&node);
  if (follows_ != nullptr && (index >= follows_->fingerprints.size() ||
                              follows_->fingerprints[index] != node_fingerprint(node))) {
    follows_ = nullptr;
  }
  switch (pass_) {
    case PassKind::timed:
      if (index == 0 || index + 1 >= fewest_nodes_) {
        start_ = clock_.now();  // the last of these is right before the first operation
      }
      return false;
    case PassKind::sampled:
      return follows_ != nullptr && follows_->values && (*follows_->values)[index].any();
    case PassKind::split:
      if (stamps_ == 0) {
        start_ = clock_.now();
      }
      // A graph that is new is stopped after each operation, once. Norms are left with what
      // follows them: the backend may run both as one.
      return follows_ != nullptr
                 ? static_cast<bool>(follows_->component_end[index])
                 : !is_skipped(node) && node.op != GGML_OP_RMS_NORM && node.op != GGML_OP_NORM;
    case PassKind::ignored:
      break;
  }
  return false;
}

/// The node was asked for, and is there.
void OperationClock::look(const ggml_tensor& node) {
  if (pass_ == PassKind::split) {
    if (stamps_ < ends_.size()) {
      ends_[stamps_] = clock_.now();
    }
    ++stamps_;
    end_nodes_.push_back(static_cast<std::uint32_t>(nodes_.size() - 1));
  } else if (pass_ == PassKind::sampled && follows_ != nullptr) {
    const ValueRoles& roles = (*follows_->values)[nodes_.size() - 1];
    sampler_->read(node, roles, follows_->plan->operations[roles.operation]);
  }
}

void OperationClock::forget_nodes() noexcept {
  nodes_.clear();
  end_nodes_.clear();
  stamps_ = 0;
  expected_ = 0;
  graph_ = nullptr;
  follows_ = last_;
}

/// The nodes are all there, and the first operation is over.
void OperationClock::resolve() {
  graph_ = find();
  expected_ =
      graph_ != nullptr ? graph_->plan->operations.size() : count_stamps(nodes_, options_.fusion);
  if (ends_.size() < expected_) {
    ends_.resize(expected_);
  }
}

/// The operations of a graph, or of a part of it, are over.
void OperationClock::close_segment() {
  if (stamps_ == 0 && !nodes_.empty()) {
    resolve();
  }
  if (stamps_ != expected_) {
    add_pass(graph_ != nullptr ? operations_of(*graph_) : kNoPlan, stamps_);
    mismatch(stamps_, expected_);
  } else if (graph_ != nullptr) {
    add_pass(operations_of(*graph_), stamps_);
    last_ = graph_;
  } else if (expected_ != 0) {
    add_pass(kNoPlan, 0);
    note_trouble(std::nullopt,
                 fmt::format("The run's graphs are of more than {} kinds", kMostGraphs));
  }
  forget_nodes();
}

void OperationClock::add_pass(std::uint32_t plan, std::size_t stamps) noexcept {
  run_.add_pass(plan, pass_begin_, start_, std::span(ends_).first(std::min(stamps, ends_.size())),
                std::span(&sequence_, sequence_.tokens > 0 ? 1 : 0));
  pass_begin_ = clock_.now();  // of the next graph of this decode, should there be one
}

/// A pass that was stopped between components.
void OperationClock::end_split() {
  if (nodes_.empty()) {
    return;
  }
  if (several_graphs_ || stamps_ > ends_.size()) {
    add_pass(kNoPlan, 0);
    return;
  }
  KnownGraph* graph = find();
  const bool expected = graph != nullptr && graph == follows_;
  if (graph == nullptr) {
    graph = learn();
  }
  if (graph == nullptr) {
    add_pass(kNoPlan, 0);
    return;
  }
  // A new graph was stopped more often than its components end.
  std::size_t kept = 0;
  for (std::size_t stamp = 0; stamp < stamps_; ++stamp) {
    if (graph->component_end[end_nodes_[stamp]]) {
      ends_[kept++] = ends_[stamp];
    }
  }
  const std::size_t wanted = graph->component_ends.size();
  last_ = graph;
  if (kept == wanted) {
    add_pass(components_of(*graph), kept);
    return;
  }
  add_pass(components_of(*graph), 0);
  if (expected) {
    mismatch(kept, wanted);
  }
}

void OperationClock::end_sampled() {
  const bool complete = follows_ != nullptr && follows_->values && !several_graphs_ &&
                        follows_->fingerprints.size() == nodes_.size();
  sampler_->end(complete);
  add_pass(last_ != nullptr ? last_->plan_id.value_or(kNoPlan) : kNoPlan, 0);
  if (!complete) {
    last_ = nullptr;
  }
}

OperationClock::KnownGraph* OperationClock::find() const {
  if (follows_ != nullptr && follows_->fingerprints.size() == nodes_.size()) {
    return follows_;
  }
  for (const auto& known : graphs_) {
    if (std::ranges::equal(known->fingerprints, nodes_, {}, {},
                           [](const ggml_tensor* node) { return node_fingerprint(*node); })) {
      return known.get();
    }
  }
  return nullptr;
}

OperationClock::KnownGraph* OperationClock::learn() {
  if (graphs_.size() == kMostGraphs) {
    return nullptr;
  }
  auto known = spare_.empty() ? std::make_unique<KnownGraph>() : std::move(spare_.back());
  if (!spare_.empty()) {
    spare_.pop_back();
  }
  GraphPlan graph = plan_graph(nodes_, options_.fusion, room_);
  known->fingerprints.reserve(nodes_.size());
  for (const ggml_tensor* node : nodes_) {
    known->fingerprints.push_back(node_fingerprint(*node));
  }
  known->component_end.resize(nodes_.size());
  for (const std::uint32_t end : graph.component_ends) {
    known->component_end[graph.nodes[end]] = true;
  }
  if (sampler_ != nullptr) {
    known->values = plan_values(nodes_, graph);
  }
  known->component_ends = std::move(graph.component_ends);
  known->plan = std::make_shared<const OperationPlan>(std::move(graph.plan));
  fewest_nodes_ = graphs_.empty() ? nodes_.size() : std::min(fewest_nodes_, nodes_.size());
  graphs_.push_back(std::move(known));
  return graphs_.back().get();
}

/// The run gets a plan after the first pass that follows it: its time is not part of the
/// graph.
std::uint32_t OperationClock::operations_of(KnownGraph& graph) {
  if (!graph.plan_id) {
    graph.plan_id = run_.add_plan(graph.plan);
  }
  return *graph.plan_id;
}

std::uint32_t OperationClock::components_of(KnownGraph& graph) {
  if (!graph.components_id) {
    graph.components_id = run_.add_plan(merge_components(*graph.plan, graph.component_ends));
  }
  return *graph.components_id;
}

void OperationClock::mismatch(std::size_t stamps, std::size_t expected) {
  std::string reason =
      fmt::format("llama.cpp reported {} operations of a graph that has {}", stamps, expected);
  if (attached_ == HookDepth::operations) {
    note_trouble(HookDepth::components, std::move(reason),
                 "Where a GPU or a BLAS library computes a part of the model, pass -ngl 0.");
  } else {
    note_trouble(std::nullopt, std::move(reason));
  }
}

/// What is attached has failed: `finest` is what is still to be had.
void OperationClock::note_trouble(std::optional<HookDepth> finest, std::string reason,
                                  std::string hint) {
  if (!trouble_) {
    finest_ = finest;
    trouble_ = Error{ErrorCode::internal, std::move(reason), std::move(hint)};
  }
}

void OperationClock::fail_pass(const char* reason) noexcept {
  failed_ = true;
  pass_ = PassKind::ignored;
  try {
    note_trouble(std::nullopt, fmt::format("The operation clock failed: {}", reason));
  } catch (const std::exception&) {
    attached_.reset();  // there is no memory to say why
  }
}

}  // namespace enprof
