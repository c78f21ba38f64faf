// Makes a run of what llama.cpp in other programs has told.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/model/operation.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "record/told_pass.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace enprof {

/// Finds out the operations of a graph that got `stamps` stamps; see plan_told_graph().
using PlanToldGraph =
    std::function<std::optional<OperationPlan>(const ToldGraph&, bool fusion, std::size_t stamps)>;

/// The phase that a pass belongs to. Where each sequence has one token, it is decode. Several of a
/// sequence are a prompt, or a draft that is checked: the batch does not say which.
[[nodiscard]] Phase phase_of(const ToldPass& pass);

/// Puts the passes of all contexts of all processes into one run, in order of time: each step of
/// decoding is an output token of it, for all sequences together. Time between two passes that is
/// longer than kIdle is a section `idle` of phase pre_inference.
///
/// The run's spans are a tree, so two passes cannot be in it at once: of one that overlaps one
/// before it, only the later part is taken, without its operations; one that ended before the other
/// is left out.
/// Threads: one.
class CaptureFeed {
 public:
  static constexpr Nanoseconds kIdle = std::chrono::milliseconds{50};
  static constexpr std::size_t kMostPlans = 1024;

  struct Counts {
    std::size_t passes = 0;
    std::size_t overlapped = 0;  ///< cut or left out
    std::size_t failed = 0;      ///< llama.cpp returned an error
    std::size_t untimed = 0;     ///< no operations came with them
    std::size_t unplanned = 0;   ///< graphs run whose stamps fit no plan
    std::size_t contexts = 0;
    std::size_t own_callbacks = 0;  ///< passes
    std::size_t prompt_tokens = 0;
    std::size_t output_tokens = 0;
    bool too_many_plans = false;
  };

  /// `run` outlives it. `begin`: not before the run's begin. `plan` may be null: no operations.
  CaptureFeed(RunScope& run, Instant begin, PlanToldGraph plan);
  CaptureFeed(const CaptureFeed&) = delete;
  CaptureFeed& operator=(const CaptureFeed&) = delete;
  ~CaptureFeed();

  /// A sink for a ring of this process.
  [[nodiscard]] std::unique_ptr<ToldSink> make_sink(pid_t pid);
  /// Adds what the sinks have got since the last call to the run.
  void flush();
  /// Nothing more comes: the rest of the run is after its inference.
  void finish();

  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Facts of the model that most passes were of; empty if there were none.
  [[nodiscard]] std::optional<ModelFacts> model() const;

 private:
  class Sink;
  struct Graph {
    ToldGraph told;
    bool fusion = true;
    std::map<std::size_t, std::optional<std::uint32_t>> plans;  // by number of stamps
  };
  struct Context {
    ToldContext facts;
    std::string model_name;
    std::string architecture;
    std::string description;
    std::string path;
    std::optional<Nanoseconds> load_time;
    std::size_t passes = 0;
    std::unordered_map<std::uint32_t, std::shared_ptr<Graph>> graphs;  // by number
  };
  struct Waiting {
    std::shared_ptr<Context> context;
    ToldPass pass;
  };

  [[nodiscard]] std::shared_ptr<Graph> share(ToldGraph told, bool fusion);
  [[nodiscard]] std::uint32_t plan_of(Graph& graph, std::size_t stamps);
  void add(Waiting& waiting);

  RunScope& run_;
  Instant last_end_;
  PlanToldGraph plan_;
  Counts counts_;
  bool has_begun_ = false;
  std::size_t plan_count_ = 0;
  std::vector<std::shared_ptr<Context>> contexts_;
  std::unordered_multimap<std::size_t, std::shared_ptr<Graph>> graphs_;  // by hash
  std::vector<Waiting> waiting_;
  std::vector<PastPass::Graph> parts_;
};

}  // namespace enprof
