#include "engines/llama/llama_component_replay.hpp"

#include "enprof/base/clock.hpp"

#include "base/log.hpp"
#include "engines/llama/graph_plan.hpp"
#include "engines/llama/llama_guard.hpp"
#include "engines/llama/llama_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"llama"};

std::unexpected<Error> replay_cancelled() {
  return fail(ErrorCode::cancelled, "The calibration was cancelled");
}

/// What llama.cpp calls while it computes a pass.
class PassWatch {
 public:
  enum class Mode { idle, timed, stopped };

  explicit PassWatch(std::stop_token stop) : stop_(std::move(stop)) {}

  void set_callbacks(llama_context_params& params) {
    params.cb_eval = [](ggml_tensor* node, bool ask, void* watch) {
      return static_cast<PassWatch*>(watch)->on_node(*node, ask);
    };
    params.cb_eval_user_data = this;
    params.abort_callback = [](void* watch) {
      return static_cast<PassWatch*>(watch)->on_executed();
    };
    params.abort_callback_data = this;
  }

  void begin(Mode mode, ReplayGraphs* graphs = nullptr) {
    mode_ = mode;
    graphs_ = graphs;
    nodes_.clear();
    ends_.clear();
    failure_.reset();
  }
  /// From now on passes are not watched.
  void end() { mode_ = Mode::idle; }

  /// Timed: the nodes, when the first one began, and when each operation ended.
  [[nodiscard]] const std::vector<const ggml_tensor*>& nodes() const { return nodes_; }
  [[nodiscard]] Instant start() const { return start_; }
  [[nodiscard]] const std::vector<Instant>& ends() const { return ends_; }

  /// What a pass that is stopped copies: by node, its operation and whether it is fused with the
  /// node before it, or is the first of two.
  struct Wanted {
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};
    std::uint64_t fingerprint = 0;
    std::uint32_t work = kNone;
    bool fused = false;
    bool ends = false;
    Nanoseconds length{0};
  };
  void want(std::vector<Wanted> wanted) { wanted_ = std::move(wanted); }
  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

 private:
  bool on_node(const ggml_tensor& node, bool ask) noexcept {
    if (mode_ == Mode::idle || failure_) {
      return !ask;
    }
    try {
      if (mode_ == Mode::timed) {
        nodes_.push_back(&node);
        start_ = monotonic_clock().now();  // the last of these is right before the first operation
        return false;
      }
      if (ask) {
        nodes_.push_back(&node);
        copy(node, nodes_.size() - 1);
      }
      return true;  // to both: stop after this node, and go on
    } catch (const std::exception& error) {
      failure_ = error.what();
      return !ask;
    }
  }
  bool on_executed() noexcept {
    if (mode_ == Mode::timed) {
      try {
        ends_.push_back(monotonic_clock().now());
      } catch (const std::exception& error) {
        failure_ = error.what();
      }
    }
    return stop_.stop_requested();
  }

  /// The node is about to be computed: its sources are there.
  void copy(const ggml_tensor& node, std::size_t index) {
    if (index >= wanted_.size() || wanted_[index].fingerprint != node_fingerprint(node)) {
      failure_ = "the same batch made another graph";
      return;
    }
    const Wanted& wanted = wanted_[index];
    if (wanted.work == Wanted::kNone) {
      return;
    }
    graphs_->add(wanted.work, node, wanted.fused);
    if (wanted.ends) {
      graphs_->end_operation(wanted.work, wanted.length);
    }
  }

  std::stop_token stop_;
  Mode mode_ = Mode::idle;
  ReplayGraphs* graphs_ = nullptr;
  std::vector<const ggml_tensor*> nodes_;
  Instant start_;
  std::vector<Instant> ends_;
  std::vector<Wanted> wanted_;
  std::optional<std::string> failure_;
};

/// The operations of one phase's pass, by class.
struct TimedPass {
  std::vector<PassWatch::Wanted> wanted;  // by node
};

using ClassKey = std::tuple<Phase, std::string, std::string>;

/// Collects the classes of both phases.
class ClassBook {
 public:
  std::uint32_t number_of(Phase phase, const OperationInfo& info) {
    const auto [found, is_new] = numbers_.try_emplace({phase, info.component, info.op},
                                                      static_cast<std::uint32_t>(classes.size()));
    if (is_new) {
      classes.push_back({.phase = phase, .component = info.component, .op = info.op});
    }
    return found->second;
  }
  std::vector<ReplayClass> classes;

 private:
  std::map<ClassKey, std::uint32_t> numbers_;
};

Result<TimedPass> read_pass(const PassWatch& watch, Phase phase, ClassBook& book) {
  const bool fusion = !is_fusion_disabled();
  const std::vector<bool> fused =
      fusion ? find_fused(watch.nodes()) : std::vector<bool>(watch.nodes().size());
  const GraphPlan graph = plan_graph(watch.nodes(), fusion);
  const std::vector<OperationInfo>& operations = graph.plan.operations;
  if (watch.ends().size() != operations.size()) {
    return fail(ErrorCode::unsupported,
                fmt::format("The components of this model cannot be run alone: llama.cpp's CPU "
                            "backend computes {} of its {} operations",
                            watch.ends().size(), operations.size()),
                "Where a GPU or a BLAS library computes a part of the model, pass -ngl 0.");
  }
  TimedPass result;
  for (const ggml_tensor* node : watch.nodes()) {
    result.wanted.push_back({.fingerprint = node_fingerprint(*node)});
  }
  Instant before = watch.start();
  for (std::size_t index = 0; index < operations.size(); ++index) {
    const Nanoseconds length = watch.ends()[index] - before;
    before = watch.ends()[index];
    const std::uint32_t work = book.number_of(phase, operations[index]);
    ++book.classes[work].operations;
    book.classes[work].pass_time += length;
    const std::uint32_t node = graph.nodes[index];
    result.wanted[node].work = work;
    result.wanted[node].ends = true;
    result.wanted[node].length = length;
    if (node > 0 && fused[node - 1]) {
      result.wanted[node - 1].work = work;
      result.wanted[node].fused = true;
    }
  }
  return result;
}

/// Runs the passes of both phases.
class Passes {
 public:
  Passes(llama_context& context, PassWatch& watch, int threads, const std::stop_token& stop)
      : context_(context), watch_(watch), threads_(threads), stop_(stop) {}

  [[nodiscard]] Result<void> decode(std::vector<llama_token>& tokens) {
    const LlamaGuard guard(threads_ > 1 ? LlamaGuard::Threads::many : LlamaGuard::Threads::one);
    std::int32_t code = 0;
    try {
      code = llama_decode(
          &context_, llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size())));
      llama_synchronize(&context_);
    } catch (const std::exception& error) {
      return fail(ErrorCode::internal,
                  fmt::format("llama.cpp failed to compute a pass: {}", error.what()),
                  "-vv shows what llama.cpp says.");
    }
    if (stop_.stop_requested()) {
      return replay_cancelled();
    }
    if (code != 0) {
      return fail(ErrorCode::internal,
                  fmt::format("llama.cpp failed to compute a pass (code {})", code),
                  "-vv shows what llama.cpp says.");
    }
    return {};
  }
  void forget() { llama_memory_clear(llama_get_memory(&context_), true); }

  [[nodiscard]] Result<TimedPass> time(std::vector<llama_token>& tokens, Phase phase,
                                       ClassBook& book) {
    watch_.begin(PassWatch::Mode::timed);
    const Result<void> decoded = decode(tokens);
    watch_.end();
    if (!decoded) {
      return std::unexpected(decoded.error());
    }
    return read_pass(watch_, phase, book);
  }
  [[nodiscard]] Result<void> copy(std::vector<llama_token>& tokens, TimedPass pass,
                                  ReplayGraphs& graphs) {
    watch_.want(std::move(pass.wanted));
    watch_.begin(PassWatch::Mode::stopped, &graphs);
    Result<void> decoded = decode(tokens);
    watch_.end();
    if (decoded && watch_.failure()) {
      return fail(ErrorCode::internal,
                  fmt::format("The operations of a pass cannot be copied: {}", *watch_.failure()));
    }
    return decoded;
  }

 private:
  llama_context& context_;
  PassWatch& watch_;
  int threads_;
  const std::stop_token& stop_;
};

/// A function of the CPU backend, which may be in a library of its own.
template <class Function>
Function function_of(ggml_backend_t backend, const char* name) {
  ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
  return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(registry, name));
}

void set_threads(ggml_backend_t backend, int threads) {
  if (const auto set =
          function_of<ggml_backend_set_n_threads_t>(backend, "ggml_backend_set_n_threads")) {
    set(backend, threads);
  }
}

/// Lets a stop end the graph that is being computed, as long as it lives.
class StopInGraph {
 public:
  StopInGraph(ggml_backend_t backend, const std::stop_token& stop)
      : backend_(backend),
        set_(function_of<ggml_backend_set_abort_callback_t>(backend,
                                                            "ggml_backend_set_abort_callback")) {
    if (set_ != nullptr) {
      set_(
          backend_,
          [](void* token) { return static_cast<const std::stop_token*>(token)->stop_requested(); },
          const_cast<std::stop_token*>(&stop));  // the callback only reads it
    }
  }
  StopInGraph(const StopInGraph&) = delete;
  StopInGraph& operator=(const StopInGraph&) = delete;
  ~StopInGraph() {
    if (set_ != nullptr) {
      set_(backend_, nullptr, nullptr);
    }
  }

 private:
  ggml_backend_t backend_;
  ggml_backend_set_abort_callback_t set_;
};

}  // namespace

Result<std::unique_ptr<LlamaComponentReplay>> LlamaComponentReplay::prepare(
    llama_model& model, int context, const ReplayOptions& options) {
  const int prompt = std::clamp(options.prompt_tokens, 2, std::max(context / 2, 2));
  PassWatch watch(options.stop);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(std::max(prompt + 4, std::min(context, 2 * prompt)));
  params.n_batch = static_cast<std::uint32_t>(prompt);
  params.n_ubatch = params.n_batch;
  params.n_outputs_max = 1;
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.op_offload = false;
  watch.set_callbacks(params);
  const LlamaLogCapture log;
  Result<llama_context*> opened = guarded([&] { return llama_init_from_model(&model, params); });
  if (!opened) {
    return std::unexpected(opened.error());
  }
  LlamaContextPtr held(*opened);
  if (!held || llama_get_memory(held.get()) == nullptr) {
    return fail(ErrorCode::unavailable,
                fmt::format("llama.cpp cannot set up a context of {} positions: {}", params.n_ctx,
                            log.reason()),
                "-vv shows all that llama.cpp says.");
  }
  GgmlBackendPtr backend(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
  if (!backend) {
    return fail(ErrorCode::unavailable, "llama.cpp's CPU backend cannot be set up");
  }

  // Different tokens, so that a router does not always choose the same experts.
  const std::int32_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(&model));
  std::vector<llama_token> tokens;
  tokens.reserve(static_cast<std::size_t>(prompt));
  for (int index = 0; index < prompt; ++index) {
    tokens.push_back((7919 * (index + 1)) % vocabulary);
  }
  std::vector<llama_token> one{tokens.front()};

  Passes passes(*held, watch, options.threads, options.stop);
  ClassBook book;
  std::unique_ptr<LlamaComponentReplay> result(
      new LlamaComponentReplay(std::move(held), std::move(backend), options.threads));
  std::map<Phase, TimedPass> timed;
  for (auto* const batch : {&tokens, &one}) {
    const Phase phase = batch == &tokens ? Phase::prefill : Phase::decode;
    if (phase == Phase::prefill) {
      passes.forget();
    }
    if (const auto warm = passes.decode(*batch); !warm) {
      return std::unexpected(warm.error());
    }
    if (phase == Phase::prefill) {
      passes.forget();
    }
    Result<TimedPass> pass = passes.time(*batch, phase, book);
    if (!pass) {
      return std::unexpected(pass.error());
    }
    timed.emplace(phase, *std::move(pass));
  }
  result->classes_ = std::move(book.classes);
  result->graphs_ = std::make_unique<ReplayGraphs>(result->classes_.size());
  passes.forget();
  for (auto* const batch : {&tokens, &one}) {
    const Phase phase = batch == &tokens ? Phase::prefill : Phase::decode;
    if (const auto copied = passes.copy(*batch, std::move(timed.at(phase)), *result->graphs_);
        !copied) {
      return std::unexpected(copied.error());
    }
  }
  result->graphs_->build();
  result->next_.resize(result->classes_.size());
  if (const auto checked = result->check(options.stop); !checked) {
    return std::unexpected(checked.error());
  }
  // The context keeps the callbacks, but computes nothing more.
  llama_set_abort_callback(result->context_.get(), nullptr, nullptr);
  kLog.info("{} classes of operations are ready to run alone", result->classes_.size());
  return result;
}

/// Computes one operation of each class on this thread alone: should llama.cpp assert, that is an
/// error then and does not end the program.
Result<void> LlamaComponentReplay::check(const std::stop_token& stop) {
  set_threads(backend_.get(), 1);
  for (std::size_t work = 0; work < classes_.size(); ++work) {
    if (stop.stop_requested()) {
      return replay_cancelled();
    }
    const auto computed = guarded(
        [&] { return ggml_backend_graph_compute(backend_.get(), graphs_->first(work).graph); });
    if (!computed || *computed != GGML_STATUS_SUCCESS) {
      return fail(ErrorCode::internal,
                  fmt::format("{} of {} cannot be run alone: {}", classes_[work].op,
                              classes_[work].component,
                              computed ? fmt::format("status {}", static_cast<int>(*computed))
                                       : computed.error().message),
                  "Please report the model's architecture.");
    }
  }
  set_threads(backend_.get(), threads_);
  return {};
}

Result<ReplayCount> LlamaComponentReplay::run(std::size_t index, Nanoseconds at_least,
                                              const std::stop_token& stop) {
  const std::vector<ReplayGraphs::Graph>& graphs = graphs_->graphs(index);
  const StopInGraph stopping(backend_.get(), stop);
  const LlamaGuard guard(threads_ > 1 ? LlamaGuard::Threads::many : LlamaGuard::Threads::one);
  const Instant begin = monotonic_clock().now();
  ReplayCount count;
  do {
    const ReplayGraphs::Graph& graph = graphs[next_[index]];
    next_[index] = (next_[index] + 1) % graphs.size();
    ggml_status status = GGML_STATUS_FAILED;
    try {
      status = ggml_backend_graph_compute(backend_.get(), graph.graph);
    } catch (const std::exception& error) {
      return fail(ErrorCode::internal, fmt::format("llama.cpp failed to run {} alone: {}",
                                                   classes_[index].component, error.what()));
    }
    if (stop.stop_requested()) {
      return replay_cancelled();
    }
    if (status != GGML_STATUS_SUCCESS) {
      return fail(ErrorCode::internal,
                  fmt::format("llama.cpp failed to run {} alone (status {})",
                              classes_[index].component, static_cast<int>(status)));
    }
    count.operations += graph.operations;
    count.time = monotonic_clock().now() - begin;
  } while (count.time < at_least);
  return count;
}

}  // namespace enprof
