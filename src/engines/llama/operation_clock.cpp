#include "engines/llama/operation_clock.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <span>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"llama"};

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
      mode_(options.mode),
      usual_nodes_(std::max(options.graph_nodes, kUsualGraphNodes)) {
  const std::size_t most = std::max(options.graph_nodes, kUsualNodes);
  if (mode_ != ClockMode::off) {
    room_ = PlanRoom(0, usual_nodes_);
    graphs_.reserve(kMostGraphs);
    for (std::size_t graph = 0; graph < kUsualGraphs; ++graph) {
      make_spare();
    }
    make_touched_room(nodes_, most);
    make_touched_room(end_nodes_, most);  // it may fall back to components
  }
  ends_.resize(most);
}

/// Makes room for one more graph and touches it, while nothing is being computed.
void OperationClock::make_spare() {
  room_.add(usual_nodes_);
  spare_.push_back(std::make_unique<KnownGraph>());
  make_touched_room(spare_.back()->fingerprints, usual_nodes_);
  make_touched_room(spare_.back()->component_end, usual_nodes_);
}

OperationClock::~OperationClock() = default;

void OperationClock::attach(llama_context_params& params) noexcept {
  if (mode_ != ClockMode::off) {
    params.cb_eval = eval_callback;
    params.cb_eval_user_data = this;
  }
  params.abort_callback = abort_callback;
  params.abort_callback_data = this;
}

void OperationClock::begin_pass(Phase phase, std::int32_t token) noexcept {
  forget_nodes();
  phase_ = phase;
  several_graphs_ = false;
  pass_begin_ = clock_.now();
  pass_ = mode_ == ClockMode::operations   ? PassKind::timed
          : mode_ == ClockMode::components ? PassKind::split
                                           : PassKind::ignored;
  // Which nodes to look at is known once a decode pass has been seen.
  if (options_.sampler != nullptr && phase == Phase::decode && options_.sampler->is_due() &&
      pass_ != PassKind::ignored && last_ != nullptr && last_phase_ == Phase::decode) {
    pass_ = PassKind::sampled;
    options_.sampler->begin(phase, token);
  }
}

void OperationClock::end_pass(bool completed) {
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
    options_.sampler->end(false);
  }
  last_phase_ = phase_;
  pass_ = PassKind::ignored;
  if (spare_.empty() && mode_ != ClockMode::off && graphs_.size() < kMostGraphs) {
    make_spare();  // here and not where the next graph is learned: it is being computed then
  }
  if (!trouble_.empty()) {
    fall_back();
  }
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
    fail(error.what());
  } catch (...) {
    fail("an unknown exception");
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
      fail(error.what());
    } catch (...) {
      fail("an unknown exception");
    }
  }
  return options_.stop.stop_requested();
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
    options_.sampler->read(node, roles, follows_->plan->operations[roles.operation]);
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
    fall_back_to(ClockMode::off,
                 fmt::format("The run's graphs are of more than {} kinds", kMostGraphs));
  }
  forget_nodes();
}

void OperationClock::add_pass(std::uint32_t plan, std::size_t stamps) noexcept {
  run_.add_pass(plan, pass_begin_, start_, std::span(ends_).first(std::min(stamps, ends_.size())));
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
  options_.sampler->end(complete);
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
  if (options_.sampler != nullptr) {
    known->values = plan_values(nodes_, graph);
  }
  known->component_ends = std::move(graph.component_ends);
  known->plan = std::make_shared<const OperationPlan>(std::move(graph.plan));
  fewest_nodes_ = graphs_.empty() ? nodes_.size() : std::min(fewest_nodes_, nodes_.size());
  graphs_.push_back(std::move(known));
  return graphs_.back().get();
}

/// The run is told of a plan when the first pass of it is over: what that takes is no part of the
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
  fall_back_to(
      mode_ == ClockMode::operations ? ClockMode::components : ClockMode::off,
      fmt::format("llama.cpp reported {} operations of a graph that has {}", stamps, expected));
}

void OperationClock::fall_back_to(ClockMode mode, std::string reason) {
  if (trouble_.empty()) {
    trouble_ = std::move(reason);
    next_mode_ = mode;
  }
}

void OperationClock::fall_back() {
  const bool components = next_mode_ == ClockMode::components;
  mode_ = next_mode_;
  kLog.warning("{}; timing {} from here on", trouble_, components ? "components" : "tokens alone");
  run_.warn(
      {"engine", components ? "components_only" : "tokens_only",
       trouble_ + (components ? ". From there on it was stopped after each component to time it, "
                                "which slows the inference down; operations are not told apart"
                              : ". From there on only tokens were timed"),
       components ? "Where a GPU or a BLAS library computes a part of the model, pass -ngl 0."
                  : ""});
  trouble_.clear();
}

void OperationClock::fail(const char* reason) noexcept {
  failed_ = true;
  pass_ = PassKind::ignored;
  try {
    fall_back_to(ClockMode::off, fmt::format("The operation clock failed: {}", reason));
  } catch (const std::exception&) {
    mode_ = ClockMode::off;  // there is no memory to say why
  }
}

}  // namespace enprof
