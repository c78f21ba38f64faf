#include "engines/llama/replay_graphs.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

namespace enprof {
namespace {

/// Whether a tensor lies in memory that outlives the pass: weights, caches.
bool is_kept(const ggml_tensor& tensor) {
  const ggml_tensor& root = tensor.view_src != nullptr ? *tensor.view_src : tensor;
  return root.buffer != nullptr &&
         ggml_backend_buffer_get_usage(root.buffer) != GGML_BACKEND_BUFFER_USAGE_COMPUTE;
}

/// Moves a tensor into other memory.
void move_to(ggml_tensor& tensor, ggml_backend_buffer_t buffer) {
  tensor.buffer = buffer;
  tensor.data = ggml_backend_buffer_get_base(buffer);
  tensor.view_src = nullptr;
  tensor.view_offs = 0;
}

}  // namespace

std::pair<ggml_backend_buffer_t, bool> ReplayGraphs::memory_of(std::uint32_t work,
                                                               std::size_t place, int slot,
                                                               const ggml_tensor& tensor) {
  const bool is_index =
      slot != kResult && (tensor.type == GGML_TYPE_I32 || tensor.type == GGML_TYPE_I64);
  MemoryKey key{
      work, place, slot, tensor.type, {}, {}, is_index ? 1 + classes_[work].operations.size() : 0};
  std::ranges::copy(tensor.ne, std::get<4>(key).begin());
  std::ranges::copy(tensor.nb, std::get<5>(key).begin());
  GgmlBufferPtr& buffer = memory_[key];
  if (buffer) {
    return {buffer.get(), false};
  }
  const std::size_t bytes = std::max<std::size_t>(ggml_nbytes(&tensor), 1);
  buffer.reset(ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), bytes));
  if (!buffer) {
    throw std::bad_alloc();
  }
  return {buffer.get(), true};
}

ggml_tensor* ReplayGraphs::leaf_of(std::uint32_t work, std::size_t place, int slot,
                                   const ggml_tensor& source) {
  ggml_tensor& leaf = tensors_.emplace_back(source);
  leaf.op = GGML_OP_NONE;
  leaf.flags = 0;
  std::ranges::fill(leaf.src, nullptr);
  if (source.data != nullptr && !is_kept(source)) {
    const auto [buffer, is_new] = memory_of(work, place, slot, source);
    move_to(leaf, buffer);
    if (is_new) {
      std::memcpy(leaf.data, source.data, ggml_nbytes(&source));
    }
  }
  return &leaf;
}

void ReplayGraphs::add(std::uint32_t work, const ggml_tensor& node, bool fused) {
  if (!fused) {
    open_ = {};
  }
  const std::size_t place = open_.nodes.size();
  ggml_tensor* const before = open_.nodes.empty() ? nullptr : open_.nodes.back();
  ggml_tensor copy = node;
  for (int slot = 0; slot < GGML_MAX_SRC; ++slot) {
    const ggml_tensor* const source = node.src[slot];
    if (source != nullptr) {
      copy.src[slot] = before != nullptr && source == open_original_
                           ? before
                           : leaf_of(work, place, slot, *source);
    }
  }
  if (!is_kept(node)) {
    move_to(copy, memory_of(work, place, kResult, node).first);
  }
  open_.nodes.push_back(&tensors_.emplace_back(copy));
  open_original_ = &node;
}

void ReplayGraphs::end_operation(std::uint32_t work, Nanoseconds length) {
  open_.length = std::max(length, Nanoseconds{1});
  classes_[work].operations.push_back(std::exchange(open_, {}));
}

ReplayGraphs::Graph ReplayGraphs::graph_of(const std::vector<Operation>& operations) {
  std::size_t tensors = 0;
  for (const Operation& operation : operations) {
    for (const ggml_tensor* node : operation.nodes) {
      tensors += 1 + static_cast<std::size_t>(std::ranges::count_if(
                         node->src, [](const ggml_tensor* source) { return source != nullptr; }));
    }
  }
  const std::size_t size = tensors + 1;
  contexts_.emplace_back(
      ggml_init({.mem_size = ggml_graph_overhead_custom(size, false) + ggml_tensor_overhead(),
                 .mem_buffer = nullptr,
                 .no_alloc = true}));
  if (!contexts_.back()) {
    throw std::bad_alloc();
  }
  Graph result{.graph = ggml_new_graph_custom(contexts_.back().get(), size, false),
               .operations = operations.size()};
  for (const Operation& operation : operations) {
    ggml_build_forward_expand(result.graph, operation.nodes.back());
  }
  return result;
}

void ReplayGraphs::build() {
  for (Class& work : classes_) {
    if (work.operations.empty()) {
      continue;
    }
    Nanoseconds turn{0};
    std::size_t nodes = 0;
    for (const Operation& operation : work.operations) {
      turn += operation.length;
      nodes += operation.nodes.size();
    }
    // A graph cannot hold a node twice, so each turn after the first has nodes of its own.
    const auto needed = static_cast<std::size_t>(kGraphLength / turn) + 1;
    const std::size_t turns =
        turn >= kGraphLength ? 1 : std::clamp<std::size_t>(needed, 1, kMostNodes / nodes + 1);
    std::vector<Operation> piece;
    Nanoseconds length{0};
    const auto close = [&] {
      if (!piece.empty()) {
        work.graphs.push_back(graph_of(piece));
        piece.clear();
        length = Nanoseconds{0};
      }
    };
    for (std::size_t count = 0; count < turns; ++count) {
      for (const Operation& operation : work.operations) {
        Operation copy{.nodes = {}, .length = operation.length};
        for (const ggml_tensor* node : operation.nodes) {
          ggml_tensor& again = tensors_.emplace_back(*node);
          if (!copy.nodes.empty()) {
            std::ranges::replace(again.src, operation.nodes.front(), copy.nodes.front());
          }
          copy.nodes.push_back(&again);
        }
        length += copy.length;
        piece.push_back(std::move(copy));
        if (turns == 1 && length >= kGraphLength) {
          close();
        }
      }
    }
    close();
    work.first = graph_of({work.operations.front()});
  }
}

}  // namespace enprof
