// The operation clock: when each operation of llama.cpp's graphs ended, at the price of a clock
// read.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/llama/graph_plan.hpp"
#include "engines/llama/llama_handles.hpp"
#include "engines/llama/value_sampler.hpp"
#include "profile/engine_hooks.hpp"
#include "record/border_pace.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace enprof {

/// llama.cpp's hooks: time the graphs of one context and hand them to the run as passes.
///
/// operations   Every one, without slowing anything down: llama.cpp's CPU backend calls the
///              context's abort callback once after each. Other backends do not.
/// components   llama.cpp is asked to stop where another component begins. Works on any backend and
///              slows the inference down (by 13 % on two CPU cores and a small model; more on a
///              GPU, which it keeps from working ahead).
///
/// Before a graph runs, llama.cpp offers each of its nodes to cb_eval, in order: from those, the
/// clock learns what will run. Its answer is no, so that nothing is split. As the graph runs, the
/// abort callback is called after each operation. The number of calls is checked against the nodes:
/// where they disagree, the pass has no operations, and end_pass() reports that.
///
/// A graph is known again by its nodes' fingerprints. Shapes are part of them, so that FLOPs are
/// those of each pass: llama.cpp pads the KV cache's part that it looks at to 256 positions, and so
/// decode makes a new graph, and allocates, once in 256 tokens; here as there.
///
/// At whatever depth, attached or not, the abort callback also tells the run that it is at a border
/// between two operations (RunScope::at_border), for readings of power. Where operations are not
/// stamped, it reads the clock at some of them only (BorderPace).
///
/// Threads: one, the one that calls llama_decode().
class OperationClock final : public EngineHooks {
 public:
  struct Options {
    bool offloaded = false;  ///< a GPU computes some of the model
    bool fusion = true;      ///< whether the CPU backend fuses: !is_fusion_disabled()
    std::stop_token stop{};  ///< when a stop is requested, a graph that is running ends soon
    ValueSampler* sampler = nullptr;  ///< looks at values on some passes
    std::size_t graph_nodes = 0;  ///< of the model's, where they are known: room is made for them
  };
  /// Kinds of graph that are kept apart: 128 Ki positions.
  static constexpr std::size_t kMostGraphs = 512;

  OperationClock(RunScope& run, const Options& options, const Clock& clock = monotonic_clock());
  ~OperationClock() override;

  /// Before the context is made, to which it names the callbacks, and then between passes.
  [[nodiscard]] Result<HookOffer> offer(HookDepth depth) const override;
  [[nodiscard]] Result<void> attach(HookDepth depth, bool values) override;
  [[nodiscard]] Result<void> detach() override;

  /// Names the callbacks to a context, for what is attached. The clock must outlive the context.
  void set_callbacks(llama_context_params& params) noexcept;

  /// Around each llama_decode(), inside the run's section. `sequence` is the one in the batch; one
  /// without tokens is unknown.
  void begin_pass(Phase phase, std::int32_t token, const BatchSequence& sequence = {}) noexcept;
  /// `completed`: the decode was neither aborted nor failed. Error: what is attached has failed,
  /// and why; see LayerProfiler::fall_back.
  [[nodiscard]] Result<void> end_pass(bool completed);

  /// What llama.cpp calls. Neither throws: after a failure, nothing more is recorded.
  [[nodiscard]] bool on_node(ggml_tensor* node, bool ask) noexcept;
  /// True: stop.
  [[nodiscard]] bool on_executed() noexcept;

 private:
  /// A kind of graph that has been seen.
  struct KnownGraph {
    SharedPlan plan;
    std::optional<std::uint32_t> plan_id;        // the run's
    std::optional<std::uint32_t> components_id;  // the run's id of its components
    std::vector<std::uint32_t> component_ends;   // among its operations
    std::vector<bool> component_end;             // by node
    std::vector<std::uint64_t> fingerprints;     // by node
    std::optional<ValuePlan> values;
  };
  enum class PassKind : std::uint8_t { timed, sampled, split, ignored };

  void tell_border(Instant now) noexcept;
  bool ask(const ggml_tensor& node);
  void look(const ggml_tensor& node);
  void forget_nodes() noexcept;
  void resolve();
  void close_segment();
  void end_split();
  void end_sampled();
  void add_pass(std::uint32_t plan, std::size_t stamps) noexcept;
  [[nodiscard]] KnownGraph* find() const;
  [[nodiscard]] KnownGraph* learn();
  void make_spare();
  [[nodiscard]] std::uint32_t operations_of(KnownGraph& graph);
  [[nodiscard]] std::uint32_t components_of(KnownGraph& graph);
  void make_room();
  void mismatch(std::size_t stamps, std::size_t expected);
  void note_trouble(std::optional<HookDepth> finest, std::string reason, std::string hint = {});
  void fail_pass(const char* reason) noexcept;

  RunScope& run_;
  Options options_;
  const Clock& clock_;
  std::optional<HookDepth> attached_;
  std::optional<HookDepth> finest_;  // that is offered: what has failed is not
  ValueSampler* sampler_ = nullptr;  // null where values are not wanted
  PassKind pass_ = PassKind::ignored;
  std::size_t usual_nodes_;  // of a graph: what room is made for
  PlanRoom room_;
  std::vector<std::unique_ptr<KnownGraph>> spare_;  // with room for a graph
  std::vector<std::unique_ptr<KnownGraph>> graphs_;
  std::size_t fewest_nodes_ = 0;  // of the known graphs
  // The graph, or the part of it, that is under way.
  std::vector<const ggml_tensor*> nodes_;
  KnownGraph* follows_ = nullptr;  // the graph that it is so far
  std::vector<Instant> ends_;      // room for those of the largest graph
  std::vector<std::uint32_t> end_nodes_;
  std::size_t stamps_ = 0;
  std::size_t expected_ = 0;
  KnownGraph* graph_ = nullptr;
  KnownGraph* last_ = nullptr;  // of the pass before
  Phase phase_ = Phase::prefill;
  Phase last_phase_ = Phase::prefill;
  Instant pass_begin_;
  BatchSequence sequence_;
  Instant start_;  // of its first operation
  bool several_graphs_ = false;
  Instant border_due_;  // when the run is to be told of a border
  BorderPace borders_;
  std::optional<Error> trouble_;  // of the pass under way
  bool failed_ = false;
};

}  // namespace enprof
