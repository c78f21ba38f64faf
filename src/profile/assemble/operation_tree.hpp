// Operations: makes a span of each operation of each pass, and figures of the operation classes.
#pragma once

#include "profile/assemble/layer_tree.hpp"

namespace enprof {

/// `--depth deep`. A LayerTree in which each operation is a span within its component.
class OperationTree final : public LayerTree {
 public:
  explicit OperationTree(const RecordingView& recording) : LayerTree(recording, true) {}

  /// Fills in the figures of the operation classes too.
  void fill(const Attribution& attribution, std::span<const RootDomain> roots,
            ProfiledRun& run) const override;
};

}  // namespace enprof
