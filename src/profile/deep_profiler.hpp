// Operations: every one of every pass, and what those of one kind used together.
#pragma once

#include "profile/layer_profiler.hpp"

namespace enprof {

/// `--depth deep`. Layers and components as the LayerProfiler has them, and within these each
/// operation as a span of its own.
class DeepProfiler final : public LayerProfiler {
 public:
  explicit DeepProfiler(const Recording& recording) : LayerProfiler(recording, true) {}

  /// Fills in operations and the operation table too.
  void fill(const Attribution& attribution, std::span<const RootDomain> roots,
            ProfiledRun& run) const override;
};

}  // namespace enprof
