// What an engine implements so that a profiler can attach to one of its generations: hooks, which
// distinguish what a forward pass consists of.
#pragma once

#include "enprof/base/error.hpp"

#include <cstdint>

namespace enprof {

/// What hooks distinguish, from coarse to fine.
enum class HookDepth : std::uint8_t {
  components,  ///< each pass has a plan of components; layers follow from it
  operations,  ///< each pass has a plan of operations; components and layers follow from it
};

/// What an engine can do at a depth.
struct HookOffer {
  /// Whether these hooks slow the inference down by more than a run at depth module may cost
  /// (docs/overhead.md). Such a run has them only in the place of others that failed in it.
  bool slows_down = false;
};

/// The hooks of one generation. While they are attached, the engine hands its passes to the run
/// itself (RunScope::add_pass): nothing goes through this interface while a graph is computed.
/// Threads: the generation's.
class EngineHooks {
 public:
  EngineHooks() = default;
  EngineHooks(const EngineHooks&) = delete;
  EngineHooks& operator=(const EngineHooks&) = delete;
  virtual ~EngineHooks() = default;

  /// What can be attached now. Error: why not, as the begin of a sentence ("A GPU computes the
  /// model"), and what to do. Hooks that failed in a pass and would fail again are not offered.
  [[nodiscard]] virtual Result<HookOffer> offer(HookDepth depth) const = 0;
  /// Attaches what is offered, while nothing else is attached and no pass is under way; `values`:
  /// the values of some passes are looked at too, where the engine can. After an error, or an
  /// exception, nothing is attached.
  [[nodiscard]] virtual Result<void> attach(HookDepth depth, bool values) = 0;
  /// Detaches what is attached, between two passes or after the last. It may fail or throw; it is
  /// not called again for that.
  [[nodiscard]] virtual Result<void> detach() = 0;
};

}  // namespace enprof
