// A graph as llama.cpp makes them, without a model: for what enprof does with one.
#pragma once

#include "engines/llama/llama_handles.hpp"
#include "engines/llama/operation_clock.hpp"

#include <cstddef>
#include <vector>

namespace enprof::bench {

/// Layers of 18 nodes, of which 14 get a stamp: norms that are fused with their weights, matrices,
/// views, what joins them.
class BenchGraph {
 public:
  explicit BenchGraph(std::size_t layers);

  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  /// Nodes that get a stamp.
  [[nodiscard]] std::size_t operations() const { return operations_; }
  /// One evaluation of it, llama.cpp's part played by hand: every node is offered, every operation
  /// reported. Nothing is computed.
  void run(OperationClock& clock) const;

 private:
  GgmlContextPtr context_;
  std::vector<ggml_tensor*> nodes_;
  std::size_t operations_ = 0;
};

}  // namespace enprof::bench
