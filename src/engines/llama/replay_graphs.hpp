// Graphs that hold the operations of one class of work alone, ready to be computed again and again.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "engines/llama/llama_handles.hpp"

#include <ggml-backend.h>
#include <ggml.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

namespace enprof {

struct GgmlBackendDeleter {
  void operator()(ggml_backend* backend) const noexcept { ggml_backend_free(backend); }
};
struct GgmlBufferDeleter {
  void operator()(ggml_backend_buffer* buffer) const noexcept { ggml_backend_buffer_free(buffer); }
};
using GgmlBackendPtr = std::unique_ptr<ggml_backend, GgmlBackendDeleter>;
using GgmlBufferPtr = std::unique_ptr<ggml_backend_buffer, GgmlBufferDeleter>;

/// Copies the operations of llama.cpp's graph, just before each is computed, into graphs of their
/// own. Weights and caches stay where they are, so each layer's weights are read from memory as in
/// a pass. Activations, indices and results lie in memory that llama.cpp uses again for other
/// layers: the copies have memory of their own. That of activations and results is filled by the
/// class's first operation and shared by all layers, so it is as warm in the caches as what an
/// operation finds in a pass. Indices (rows of a table, experts) are kept for each operation, since
/// what is valid for one table may be none of another's. Nothing is written but results, and the
/// rows of the caches that the pass wrote.
///
/// Throws std::bad_alloc. Threads: one.
class ReplayGraphs {
 public:
  explicit ReplayGraphs(std::size_t classes) : classes_(classes) {}

  /// Copies a node that is about to be computed. `fused`: it runs as one with the node that was
  /// copied before it.
  void add(std::uint32_t work, const ggml_tensor& node, bool fused);
  /// An operation of the class is complete, and takes about this long.
  void end_operation(std::uint32_t work, Nanoseconds length);
  /// Makes the graphs. Call it once, after all operations. Each takes about kGraphLength, or is one
  /// operation: short ones are repeated, over all layers in turn.
  void build();

  struct Graph {
    ggml_cgraph* graph = nullptr;
    std::size_t operations = 0;
  };
  /// Those of a class, which together run each of its operations equally often.
  [[nodiscard]] const std::vector<Graph>& graphs(std::size_t work) const {
    return classes_[work].graphs;
  }
  /// A graph of the class's first operation alone.
  [[nodiscard]] Graph first(std::size_t work) const { return classes_[work].first; }

  /// Starting the threads of a graph takes some 10 µs, which this makes negligible.
  static constexpr Nanoseconds kGraphLength = std::chrono::milliseconds{5};
  static constexpr std::size_t kMostNodes = 8192;  ///< of a graph, or one turn of all layers

 private:
  struct Operation {
    std::vector<ggml_tensor*> nodes;  // two if they are fused
    Nanoseconds length{0};
  };
  struct Class {
    std::vector<Operation> operations;
    std::vector<Graph> graphs;
    Graph first;
  };
  /// A tensor's place in its class: the node's place in its operation; the source's, or kResult;
  /// type, shape and strides; and for indices the operation.
  using MemoryKey =
      std::tuple<std::uint32_t, std::size_t, int, int, std::array<std::int64_t, GGML_MAX_DIMS>,
                 std::array<std::size_t, GGML_MAX_DIMS>, std::size_t>;
  static constexpr int kResult = -1;

  [[nodiscard]] ggml_tensor* leaf_of(std::uint32_t work, std::size_t place, int slot,
                                     const ggml_tensor& source);
  /// Memory of the class's own, and whether it is new.
  [[nodiscard]] std::pair<ggml_backend_buffer_t, bool> memory_of(std::uint32_t work,
                                                                 std::size_t place, int slot,
                                                                 const ggml_tensor& tensor);
  [[nodiscard]] Graph graph_of(const std::vector<Operation>& operations);

  std::vector<Class> classes_;
  Operation open_;                              // the operation that is being copied
  const ggml_tensor* open_original_ = nullptr;  // of its last node
  std::deque<ggml_tensor> tensors_;             // addresses stay valid
  std::map<MemoryKey, GgmlBufferPtr> memory_;
  std::vector<GgmlContextPtr> contexts_;  // of the graphs
};

}  // namespace enprof
