#include "bench_graph.hpp"

#include "engines/llama/graph_plan.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace enprof::bench {
namespace {

constexpr std::int64_t kWidth = 64;
constexpr std::size_t kTensorsPerLayer = 32;

}  // namespace

BenchGraph::BenchGraph(std::size_t layers)
    : context_(ggml_init({.mem_size = (layers + 1) * kTensorsPerLayer * ggml_tensor_overhead(),
                          .mem_buffer = nullptr,
                          .no_alloc = true})) {
  ggml_context* const ggml = context_.get();
  const auto add = [&](ggml_tensor* node, const std::string& name) {
    node->flags |= GGML_TENSOR_FLAG_COMPUTE;
    nodes_.push_back(node);
    return ggml_set_name(node, name.c_str());
  };
  ggml_tensor* stream = ggml_new_tensor_1d(ggml, GGML_TYPE_F32, kWidth);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const auto weight = [&](const char* name, std::int64_t rows) {
      return ggml_set_name(ggml_new_tensor_2d(ggml, GGML_TYPE_F32, kWidth, rows),
                           fmt::format("blk.{}.{}.weight", layer, name).c_str());
    };
    const auto matrix = [&](const char* name, ggml_tensor* input, const char* result) {
      return add(ggml_mul_mat(ggml, weight(name, kWidth), input),
                 fmt::format("{}-{}", result, layer));
    };
    const auto norm = [&](const char* name, ggml_tensor* input) {
      ggml_tensor* const bare =
          add(ggml_rms_norm(ggml, input, 1e-5F), fmt::format("norm-{}", layer));
      return add(ggml_mul(ggml, bare, weight(name, 1)), fmt::format("{}-{}", name, layer));
    };
    const auto named = [&](ggml_tensor* node, const char* name) {
      return add(node, fmt::format("{}-{}", name, layer));
    };
    ggml_tensor* const normed = norm("attn_norm", stream);
    ggml_tensor* const q = matrix("attn_q", normed, "Qcur");
    ggml_tensor* const k = matrix("attn_k", normed, "Kcur");
    ggml_tensor* const v = matrix("attn_v", normed, "Vcur");
    ggml_tensor* const view = named(ggml_reshape_2d(ggml, k, kWidth, 1), "Kcur (reshaped)");
    ggml_tensor* const scores = named(ggml_mul(ggml, q, view), "scores");
    ggml_tensor* const shaped = named(ggml_reshape_2d(ggml, v, kWidth, 1), "Vcur (reshaped)");
    ggml_tensor* const mixed = named(ggml_mul(ggml, scores, shaped), "kqv_out");
    ggml_tensor* const output = matrix("attn_output", mixed, "attn_out");
    ggml_tensor* const middle = named(ggml_add(ggml, output, stream), "ffn_inp");
    ggml_tensor* const again = norm("ffn_norm", middle);
    ggml_tensor* const gate = matrix("ffn_gate", again, "ffn_gate");
    ggml_tensor* const up = matrix("ffn_up", again, "ffn_up");
    ggml_tensor* const active = named(ggml_swiglu_split(ggml, gate, up), "ffn_swiglu");
    ggml_tensor* const down = matrix("ffn_down", active, "ffn_out");
    stream = named(ggml_add(ggml, down, middle), "l_out");
  }
  const std::vector<const ggml_tensor*> all(nodes_.begin(), nodes_.end());
  operations_ = count_stamps(all, true);
}

void BenchGraph::run(OperationClock& clock) const {
  for (ggml_tensor* const node : nodes_) {
    if (clock.on_node(node, true)) {
      throw std::runtime_error("the operation clock wants to stop the graph");
    }
  }
  for (std::size_t operation = 0; operation < operations_; ++operation) {
    if (clock.on_executed()) {
      throw std::runtime_error("the operation clock wants to end the graph");
    }
  }
}

}  // namespace enprof::bench
