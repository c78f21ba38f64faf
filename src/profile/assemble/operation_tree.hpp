// Operations: every one of every pass, and what those of one kind used together.
#pragma once

#include "profile/assemble/layer_tree.hpp"

namespace enprof {

/// `--depth deep`. Layers and components as the LayerTree has them, and within these each
/// operation as a span of its own.
class OperationTree final : public LayerTree {
 public:
  explicit OperationTree(const Recording& recording) : LayerTree(recording, true) {}

  /// Fills in operations and the operation table too.
  void fill(const Attribution& attribution, std::span<const RootDomain> roots,
            ProfiledRun& run) const override;
};

}  // namespace enprof
