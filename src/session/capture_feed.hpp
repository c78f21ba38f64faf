// Makes a capture of what llama.cpp in other programs has told.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/model/model_facts.hpp"
#include "enprof/model/operation.hpp"

#include "record/capture_recording.hpp"
#include "record/told_pass.hpp"
#include "session/live_requests.hpp"

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

/// Component of the time between two graphs of one pass.
inline constexpr const char* kBetweenGraphs = "graph_setup";

/// Collects the passes of all contexts of all processes. A prompt that is longer than llama.cpp's
/// physical batch makes one pass of several graphs: their operations are one plan, with the time
/// between two graphs as kBetweenGraphs.
///
/// It keeps kMostPasses passes and the stamps of kMostStamps operations; beyond that passes have
/// none, and then are lost, which is counted.
/// Threads: one.
class CaptureFeed {
 public:
  static constexpr std::size_t kMostPlans = 1024;
  static constexpr std::size_t kMostPasses = std::size_t{1} << 22U;
  static constexpr std::size_t kMostStamps = std::size_t{1} << 26U;

  struct Counts {
    std::size_t passes = 0;
    std::size_t failed = 0;           ///< llama.cpp returned an error
    std::size_t untimed = 0;          ///< no operations came with them
    std::size_t unplanned = 0;        ///< passes whose stamps fit no plan
    std::size_t own_callbacks = 0;    ///< passes
    std::size_t other_sequences = 0;  ///< in batches with more of them than are told apart
    bool too_many_plans = false;
  };

  /// `plan` may be null: no operations are wanted. `live`, if there is one, gets each pass at once;
  /// it must outlive this.
  explicit CaptureFeed(PlanToldGraph plan, LiveRequests* live = nullptr);
  CaptureFeed(const CaptureFeed&) = delete;
  CaptureFeed& operator=(const CaptureFeed&) = delete;
  ~CaptureFeed();

  /// A sink for a ring of this process.
  [[nodiscard]] std::unique_ptr<ToldSink> make_sink(pid_t pid);
  /// The process has ended, and its models are gone.
  void end_process(pid_t pid, Instant at);
  /// A pass did not reach us.
  void add_lost(std::size_t passes) { recording_.lost_passes += passes; }
  /// The capture of a program that lived between these instants; null if no pass was told. Call it
  /// once, after all else.
  [[nodiscard]] std::shared_ptr<CaptureRecording> finish(Instant begin, Instant end);

  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Facts of the model that most passes were of; empty if there were none.
  [[nodiscard]] std::optional<ModelFacts> model() const;

 private:
  class Sink;
  struct Graph {
    ToldGraph told;
    bool fusion = true;
    std::map<std::size_t, std::uint32_t> plans;  // by number of stamps; kNoPlan: none fits
  };
  struct Context {
    std::uint32_t index = 0;  // in the recording
    bool fusion = true;
    std::unordered_map<std::uint32_t, std::shared_ptr<Graph>> graphs;  // by number
    std::map<std::int32_t, std::int32_t> next_position;  // of a sequence, where it is not told
  };

  void add_context(pid_t pid, const ToldContext& told, Context& context);
  /// The model that a process loaded at this time, if it is there: the context's is that one then.
  bool use_known_model(pid_t pid, Instant begin, const Context& context);
  [[nodiscard]] std::shared_ptr<Graph> share(ToldGraph told, bool fusion);
  [[nodiscard]] std::uint32_t add_plan(OperationPlan plan);
  [[nodiscard]] std::uint32_t plan_of(Graph& graph, std::size_t stamps);
  /// The plan of all graphs of a pass, and its stamps in ends_.
  [[nodiscard]] std::uint32_t plan_of(Context& context, const ToldPass& pass);
  [[nodiscard]] std::uint32_t join(std::vector<std::uint32_t> plans);
  void add(Context& context, ToldPass pass);
  void add(const CapturedChange& change);

  PlanToldGraph plan_;
  LiveRequests* live_;
  Counts counts_;
  CaptureRecording recording_;
  std::vector<pid_t> process_of_;                                        // by model
  std::vector<std::size_t> passes_of_;                                   // by context
  std::unordered_multimap<std::size_t, std::shared_ptr<Graph>> graphs_;  // by hash
  std::map<std::vector<std::uint32_t>, std::uint32_t> joined_;           // by the plans in it
  std::vector<Instant> ends_;
};

}  // namespace enprof
