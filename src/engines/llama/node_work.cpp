#include "engines/llama/node_work.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace enprof {
namespace {

OperationKind kind_of_unary(const ggml_tensor& node) {
  switch (ggml_get_unary_op(&node)) {
    case GGML_UNARY_OP_SILU:
    case GGML_UNARY_OP_SIGMOID:
      return OperationKind::silu;
    case GGML_UNARY_OP_SOFTPLUS:
      return OperationKind::softplus;
    case GGML_UNARY_OP_GELU:
      return OperationKind::gelu;
    case GGML_UNARY_OP_ABS:
    case GGML_UNARY_OP_NEG:
    case GGML_UNARY_OP_TANH:
    case GGML_UNARY_OP_RELU:
    case GGML_UNARY_OP_EXP:
      return OperationKind::elementwise;
    default:
      return OperationKind::other;
  }
}

OperationKind kind_of_gated(const ggml_tensor& node) {
  switch (ggml_get_glu_op(&node)) {
    case GGML_GLU_OP_SWIGLU:
    case GGML_GLU_OP_SWIGLU_CLAMP:
      return OperationKind::swiglu;
    case GGML_GLU_OP_SWIGLU_OAI:
      return OperationKind::swiglu_oai;
    case GGML_GLU_OP_GEGLU:
      return OperationKind::geglu;
    default:
      return OperationKind::other;
  }
}

OperationKind kind_of(const ggml_tensor& node) {
  switch (node.op) {
    case GGML_OP_MUL_MAT:
      return OperationKind::matmul;
    case GGML_OP_MUL_MAT_ID:
      return OperationKind::matmul_experts;
    case GGML_OP_GET_ROWS:
      return OperationKind::get_rows;
    case GGML_OP_SET_ROWS:
      return OperationKind::set_rows;
    case GGML_OP_ADD:
    case GGML_OP_ADD1:
    case GGML_OP_SUB:
    case GGML_OP_MUL:
    case GGML_OP_DIV:
    case GGML_OP_SCALE:
    case GGML_OP_SQR:
    case GGML_OP_SQRT:
    case GGML_OP_LOG:
    case GGML_OP_SIN:
    case GGML_OP_COS:
      return OperationKind::elementwise;
    case GGML_OP_ADD_ID:
      return OperationKind::add_rows;
    case GGML_OP_RMS_NORM:
      return OperationKind::rms_norm;
    case GGML_OP_NORM:
      return OperationKind::layer_norm;
    case GGML_OP_L2_NORM:
      return OperationKind::l2_norm;
    case GGML_OP_ROPE:
      return OperationKind::rope;
    case GGML_OP_SOFT_MAX:
      return OperationKind::softmax;
    case GGML_OP_FLASH_ATTN_EXT:
      return OperationKind::flash_attention;
    case GGML_OP_DUP:
    case GGML_OP_CPY:
    case GGML_OP_CONT:
    case GGML_OP_CONCAT:
    case GGML_OP_REPEAT:
    case GGML_OP_PAD:
    case GGML_OP_FILL:
    case GGML_OP_CLAMP:  // two comparisons per element: no FLOPs
      return OperationKind::copy;
    case GGML_OP_SUM:
    case GGML_OP_SUM_ROWS:
    case GGML_OP_MEAN:
      return OperationKind::reduction;
    case GGML_OP_ARGSORT:
    case GGML_OP_TOP_K:
    case GGML_OP_ARGMAX:
      return OperationKind::sort;
    case GGML_OP_SSM_CONV:
      return OperationKind::ssm_conv;
    case GGML_OP_SSM_SCAN:
      return OperationKind::ssm_scan;
    case GGML_OP_GATED_DELTA_NET:
      return OperationKind::gated_delta_net;
    case GGML_OP_RWKV_WKV6:
      return OperationKind::rwkv6;
    case GGML_OP_RWKV_WKV7:
      return OperationKind::rwkv7;
    case GGML_OP_GATED_LINEAR_ATTN:
      return OperationKind::gated_linear_attention;
    case GGML_OP_UNARY:
      return kind_of_unary(node);
    case GGML_OP_GLU:
      return kind_of_gated(node);
    default:
      return OperationKind::other;
  }
}

TensorShape shape_of(const ggml_tensor& tensor) {
  TensorShape shape;
  std::ranges::copy(tensor.ne, shape.extents.begin());
  shape.element_bytes = static_cast<double>(ggml_type_size(tensor.type)) /
                        static_cast<double>(ggml_blck_size(tensor.type));
  return shape;
}

/// The number of inputs that an op reads; further inputs of copies and stores are written to.
std::size_t inputs_read(const ggml_tensor& node) {
  switch (node.op) {
    case GGML_OP_CPY:
      return 1;
    case GGML_OP_SET_ROWS:
      return 2;
    default:
      return GGML_MAX_SRC;
  }
}

struct Inputs {
  std::array<TensorShape, GGML_MAX_SRC> shapes;
  std::size_t count = 0;

  void add(const ggml_tensor& tensor) { shapes[count++] = shape_of(tensor); }
  [[nodiscard]] std::span<const TensorShape> all() const { return {shapes.data(), count}; }
};

}  // namespace

OperationWork node_work(const ggml_tensor& node) {
  Inputs inputs;
  const std::size_t read = inputs_read(node);
  for (std::size_t i = 0; i < read; ++i) {
    if (node.src[i] != nullptr) {
      inputs.add(*node.src[i]);
    }
  }
  OperationShapes shapes{
      .kind = kind_of(node), .result = shape_of(node), .inputs = inputs.all(), .rotated = {}};
  if (node.op == GGML_OP_ROPE) {
    shapes.rotated = node.op_params[1];  // n_dims, as in ggml_rope_impl()
  }
  return operation_work(shapes);
}

OperationWork fused_norm_work(const ggml_tensor& norm, const ggml_tensor& product) {
  Inputs inputs;
  inputs.add(*norm.src[0]);
  inputs.add(product.src[0] == &norm ? *product.src[1] : *product.src[0]);
  return operation_work({.kind = OperationKind::rms_norm,
                         .result = shape_of(product),
                         .inputs = inputs.all(),
                         .rotated = {}});
}

}  // namespace enprof
