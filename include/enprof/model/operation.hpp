// The operations of an engine's compute graph, the passes that ran them, and sampled values.
//
// A graph is evaluated once for each batch of positions: once for each token in decode, a few times
// in prefill. Its operations (the plan) are the same in each pass, so they are recorded once; a
// pass only stamps the end of each operation.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/units.hpp"
#include "enprof/model/figure.hpp"
#include "enprof/model/names.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// One operation of a graph.
struct OperationInfo {
  static constexpr std::int32_t kNoLayer = -1;

  std::int32_t layer = kNoLayer;  ///< from 0; kNoLayer: outside the layers (embedding, lm_head, …)
  /// q_proj, attention, down_proj, …; never a guess: an operation that cannot be identified has its
  /// own type in lower case here.
  std::string component;
  std::string op;    ///< the engine's name of its type: MUL_MAT, …; empty: a whole component
  std::string name;  ///< the engine's name of its result: Qcur-3, ffn_out-3, …
  std::array<std::int64_t, 4> shape{};  ///< of its result, fastest dimension first
  std::optional<double> flops;          ///< floating-point operations; a multiply-add is two
  std::optional<double> bytes;  ///< read and written, each tensor once: weights, inputs, result

  friend bool operator==(const OperationInfo&, const OperationInfo&) = default;
};

/// The operations of a graph that get a stamp, in the order in which they run.
struct OperationPlan {
  std::vector<OperationInfo> operations;

  friend bool operator==(const OperationPlan&, const OperationPlan&) = default;
};

/// A plan that several readers share, in any thread.
using SharedPlan = std::shared_ptr<const OperationPlan>;

/// What one pass did for one of the sequences in its batch. Its size is fixed and it has no
/// pointers, so that it can lie in shared memory and be written from another process.
struct BatchSequence {
  std::int32_t id = 0;              ///< the engine's number of the sequence
  std::int32_t first_position = 0;  ///< positions of the sequence that came before this pass
  std::uint32_t tokens = 0;         ///< of the sequence in this batch
  std::uint32_t outputs = 0;        ///< of these, those whose logits are wanted

  friend bool operator==(const BatchSequence&, const BatchSequence&) = default;
};

/// One operation of one pass.
struct OperationEvent {
  Nanoseconds begin{0};  ///< since the run began
  /// Energy of the root domains in joules; NaN if it was not measured. See energy().
  double energy_j = std::nan("");
  std::uint32_t duration_ns = 0;  ///< at most 4.29 s: longer operations are cut to that
  std::uint32_t operation = 0;    ///< index into OperationTable::operations
  std::int32_t token = -1;        ///< output token that it worked for; -1: the prompt
  Phase phase = Phase::prefill;

  [[nodiscard]] std::optional<Joules> energy() const {
    return std::isnan(energy_j) ? std::nullopt : std::optional{Joules{energy_j}};
  }
  /// Two absent energies are equal.
  friend bool operator==(const OperationEvent& a, const OperationEvent& b) {
    return a.begin == b.begin && a.energy() == b.energy() && a.duration_ns == b.duration_ns &&
           a.operation == b.operation && a.token == b.token && a.phase == b.phase;
  }
};
static_assert(sizeof(OperationEvent) <= 32);

/// Every operation of the run, in order of time. At depth module, consecutive operations of one
/// component are one entry, whose `op`, `name` and shape are empty.
struct OperationTable {
  std::vector<OperationInfo> operations;  ///< each kind once
  std::vector<OperationEvent> events;     ///< empty at minimal depth

  friend bool operator==(const OperationTable&, const OperationTable&) = default;
};

/// Component of kNoLayer: the time of passes before their first operation and after their last.
inline constexpr const char* kSelfComponent = "(self)";
/// Component of kNoLayer: passes whose operations were not timed, because their values were
/// sampled, they did not match the plan, or the run's memory was full.
inline constexpr const char* kUntimedComponent = "(untimed)";

/// One layer in one phase, summed over its passes. The layers of a phase add up to its passes.
struct LayerFigure {
  Phase phase = Phase::decode;
  std::int32_t layer = OperationInfo::kNoLayer;  ///< kNoLayer: outside the layers
  std::size_t count = 0;                         ///< passes
  Figure figure;

  friend bool operator==(const LayerFigure&, const LayerFigure&) = default;
};

/// One component of one layer in one phase, summed over its passes. The components of a layer add
/// up to the layer.
struct ComponentFigure {
  Phase phase = Phase::decode;
  std::int32_t layer = OperationInfo::kNoLayer;
  std::string component;
  std::size_t count = 0;  ///< passes
  Figure figure;
  std::optional<double> flops;  ///< sum over the passes; empty if one is not known
  std::optional<double> bytes;

  friend bool operator==(const ComponentFigure&, const ComponentFigure&) = default;
};

/// All operations of one class (phase × component × op), summed over layers and passes.
struct OperationFigure {
  Phase phase = Phase::decode;
  std::string component;
  std::string op;
  std::size_t count = 0;  ///< operations
  Figure figure;
  std::optional<double> flops;
  std::optional<double> bytes;

  friend bool operator==(const OperationFigure&, const OperationFigure&) = default;
};

/// Statistics of the result of one component in one pass, over all its elements.
struct ActivationValues {
  Phase phase = Phase::decode;
  std::int32_t token = -1;
  std::int32_t layer = OperationInfo::kNoLayer;
  std::string component;
  double mean = 0.0;
  double standard_deviation = 0.0;
  double maximum = 0.0;   ///< of the absolute values
  double sparsity = 0.0;  ///< 0–1: share of elements whose absolute value is below the threshold
  std::optional<double> kill_ratio;      ///< MLP: share of gate pre-activations below 0
  std::optional<double> variance_ratio;  ///< norms: variance of the input / of the output

  friend bool operator==(const ActivationValues&, const ActivationValues&) = default;
};

/// Statistics of one attention head in one pass: means over its queries.
struct AttentionValues {
  Phase phase = Phase::decode;
  std::int32_t token = -1;
  std::int32_t layer = 0;
  std::int32_t head = 0;
  double entropy_nats = 0.0;    ///< −Σ p ln p
  double maximum_weight = 0.0;  ///< the largest p
  double sparsity = 0.0;        ///< 0–1: share of weights below the threshold

  friend bool operator==(const AttentionValues&, const AttentionValues&) = default;
};

/// The experts that a layer chose for one position of one pass (mixture of experts).
struct ExpertActivation {
  Phase phase = Phase::decode;
  std::int32_t token = -1;
  std::int32_t layer = 0;
  std::vector<std::uint16_t> experts;  ///< the chosen ones, largest weight first
  std::vector<float> weights;          ///< of the chosen ones, in the same order
  double routing_entropy_nats = 0.0;   ///< of the router's distribution over all experts

  friend bool operator==(const ExpertActivation&, const ExpertActivation&) = default;
};

/// Values from sampled passes.
struct SampledValues {
  std::size_t every = 0;   ///< one decode pass in this many was sampled; 0: no pass was
  std::size_t passes = 0;  ///< sampled passes; they are left out of timings of operations
  double sparsity_threshold = 0.01;
  std::vector<ActivationValues> activations;
  std::vector<AttentionValues> attention;
  std::vector<ExpertActivation> experts;

  friend bool operator==(const SampledValues&, const SampledValues&) = default;
};

}  // namespace enprof
