// A graph like llama.cpp's, without a model, to measure what enprof does with one.
#pragma once

#include "engines/llama/llama_handles.hpp"
#include "engines/llama/operation_clock.hpp"

#include <cstddef>
#include <vector>

namespace enprof::bench {

/// Layers of 18 nodes, of which 14 get a stamp: norms fused with their weights, matrices, views,
/// and the operations between them.
class BenchGraph {
 public:
  explicit BenchGraph(std::size_t layers);

  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  /// The number of nodes that get a stamp.
  [[nodiscard]] std::size_t operations() const { return operations_; }
  /// Simulates one evaluation, with llama.cpp's callbacks: every node is offered, every operation
  /// is reported. Nothing is computed.
  void run(OperationClock& clock) const;

 private:
  GgmlContextPtr context_;
  std::vector<ggml_tensor*> nodes_;
  std::size_t operations_ = 0;
};

}  // namespace enprof::bench
