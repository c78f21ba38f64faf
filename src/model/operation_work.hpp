// How much work an operation is: arithmetic and memory traffic, from the shapes of its tensors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace enprof {

/// A tensor's shape in a graph. Fastest dimension first; unused dimensions are 1.
struct TensorShape {
  std::array<std::int64_t, 4> extents{1, 1, 1, 1};
  /// Mean bytes of an element: 4 for F32, 2 for F16; a block-quantized type has bytes of a block /
  /// elements of a block, such as 34/32 for Q8_0.
  double element_bytes = 4.0;

  [[nodiscard]] double elements() const {
    return static_cast<double>(extents[0]) * static_cast<double>(extents[1]) *
           static_cast<double>(extents[2]) * static_cast<double>(extents[3]);
  }
  [[nodiscard]] double bytes() const { return elements() * element_bytes; }
};

/// What an operation computes, independent of an engine's name for it. Inputs are in the order
/// given here; those in brackets are optional. R is the result, |X| the number of elements of X.
///
/// FLOPs: additions, subtractions, multiplications, divisions and elementary functions (exp, log,
/// tanh, square root, sine, cosine) count one each, so a multiply-add is two. Comparisons,
/// conversions and the unpacking of quantized weights do not count.
///
/// Bytes: each tensor once, as if caches were perfect: inputs read, result written. This is a lower
/// bound, because data that does not fit into the cache is read more than once. A view counts the
/// part of the tensor that it shows.
enum class OperationKind : std::uint8_t {
  /// weights [K, M, …], input [K, N, …]; R [M, N, …]. FLOPs 2 K |R|: K multiply-adds for each
  /// element of R (as op_flops of test_mul_mat in llama.cpp, tests/test-backend-ops.cpp).
  matmul,
  /// One matrix of several for each row, chosen by index (mixture of experts): weights [K, M, E],
  /// input [K, ., T], indices [U, T]; R [M, U, T]. FLOPs 2 K |R| (op_flops of test_mul_mat_id, same
  /// file). Bytes: min(E, U T) of the E matrices, the most that can be chosen; fewer where rows
  /// choose the same.
  matmul_experts,
  /// table, indices; R. FLOPs 0. Bytes: the rows that are read, not the whole table.
  get_rows,
  /// rows, indices; R is the table; only those rows of it are written. FLOPs 0.
  set_rows,
  /// R = a + b and similar, one FLOP per element of R. Inputs: any.
  elementwise,
  /// a [n, U, T], b [n, E], indices [U, T]; each row of a plus the row of b that an index names:
  /// one FLOP per element of R. Bytes: min(E, U T) of b's rows, the most that can be chosen.
  add_rows,
  /// log(1 + exp(x)): 3 FLOPs per element of R.
  softplus,
  /// silu(x) = x / (1 + exp(−x)): 4 FLOPs per element of R (negate, exp, add, divide); the same for
  /// sigmoid. Inputs: any.
  silu,
  /// tanh form, 0.5 x (1 + tanh(√(2/π) x (1 + 0.044715 x²))) (Hendrycks and Gimpel, arXiv
  /// 1606.08415): 9 FLOPs per element of R.
  gelu,
  /// silu(gate) × up: 5 FLOPs per element of R (Shazeer, arXiv 2002.05202).
  swiglu,
  /// gate / (1 + exp(−α gate)) × (up + 1), both clamped before: 7 FLOPs per element of R (gpt-oss;
  /// ggml_compute_forward_swiglu_oai in llama.cpp, ggml/src/ggml-cpu/ops.cpp).
  swiglu_oai,
  /// gelu(gate) × up: 10 FLOPs per element of R (same paper).
  geglu,
  /// input, [weights], [bias]. x / √(mean(x²) + ε) (Zhang and Sennrich, arXiv 1910.07467): square,
  /// add, scale, and one more for each of weights and bias: 3 to 5 FLOPs per element of R; 4 per
  /// row for mean, ε, root and reciprocal.
  rms_norm,
  /// input, [weights], [bias]. (x − mean) / √(variance + ε) (Ba, Kiros and Hinton, arXiv
  /// 1607.06450): two sums, subtract, square, scale, and weights and bias: 5 to 7 FLOPs per element
  /// of R; 5 per row.
  layer_norm,
  /// input. x / max(√(sum of x²), ε): square, add, scale: 3 FLOPs per element of R, 2 per row.
  l2_norm,
  /// input [d, heads, positions], [positions], [frequencies]. Pairs are rotated (Su et al., arXiv
  /// 2104.09864): 4 multiplications and 2 additions per pair; 3 for its angle, sine and cosine once
  /// per position. OperationShapes::rotated is the part of d that is rotated.
  rope,
  /// scores [n, …], [mask], [sinks]. Scale, subtract the maximum, exp, sum, divide: 5 FLOPs per
  /// element of R, and one for the mask.
  softmax,
  /// queries [dk, N, H, B], keys [dk, P, Hkv, B], values [dv, P, Hkv, B], [mask], [sinks];
  /// R [dv, H, N, B]. For each query, head and position 2 dk for the score, 6 for scale, mask and
  /// softmax, 2 dv for the sum of values (Dao et al., arXiv 2205.14135, whose online softmax does
  /// the same arithmetic plus one rescale per block, which is not counted). Masked positions are
  /// counted as if they were computed; an engine may skip them.
  flash_attention,
  /// Copies, conversions, concatenation, padding, filling: FLOPs 0. Inputs: the tensors that are
  /// read.
  copy,
  /// input; R is a sum, mean or similar over rows or all elements: one FLOP per element of the
  /// input.
  reduction,
  /// input; sorts, top-k, arg max: comparisons only, FLOPs 0.
  sort,
  /// input [taps − 1 + T, channels, B], kernel [taps, channels]; R [channels, T, B]: 2 taps FLOPs
  /// per element of R (the depthwise causal convolution of Gu and Dao, arXiv 2312.00752).
  ssm_conv,
  /// state [N, d, H, S], x [d, H, T, B], dt [H, T, B], A [N or 1, H], B [N, G, T, B], C [N, G, T,
  /// B], [indices]. h = exp(dt A) h + dt x B, y = C h (Gu and Dao, arXiv 2312.00752, algorithm 2;
  /// Dao and Gu, arXiv 2405.21060, where A is one scalar per head). For each element of the state
  /// and each position 5 FLOPs (decay, input, add, multiply-add with C), and 2 for exp(dt A), once
  /// per head if A is a scalar; one for dt x, per element of x; 3 for softplus(dt). Bytes: of the
  /// state, B sequences are read and written.
  ssm_scan,
  /// q, k [d, Hk, T, S], v [d, H, T, S], gate [1 or d, H, T, S], beta [1, H, T, S], state.
  /// S = exp(g) S, u = beta (v − S k), S = S + u kᵀ, o = S q (Yang et al., arXiv 2412.06464): for
  /// each element of the state and each position 7 FLOPs (decay, two for each of the three
  /// products); 3 per element of v, with the scale of o; one for each exp(g).
  gated_delta_net,
  /// k, v, r [d, H, T], first, decay, state. y = (S + first k vᵀ) r, S = decay S + k vᵀ (Peng et
  /// al., arXiv 2404.05892): 7 FLOPs for each element of the state and each position.
  rwkv6,
  /// r, w, k, v, a, b [d, H, T], state. S = S diag(w) + (S a) bᵀ + v kᵀ, y = S r (Peng et al.,
  /// arXiv 2503.14456): 9 FLOPs for each element of the state and each position.
  rwkv7,
  /// k, v, q, gate [d, H, T], state. S = gate S + k vᵀ, o = S q (Yang et al., arXiv 2312.06635): 5
  /// FLOPs for each element of the state and each position; the scale of q, one per element.
  gated_linear_attention,
  /// Anything else: FLOPs are not known. Bytes are those of the tensors.
  other,
};

/// The inputs and the result of an operation.
struct OperationShapes {
  OperationKind kind = OperationKind::other;
  TensorShape result;
  std::span<const TensorShape> inputs;
  /// rope: the number of elements of each row that are rotated; empty: the whole row.
  std::optional<std::int64_t> rotated;
};

/// Empty: not known. 0: no work.
struct OperationWork {
  std::optional<double> flops;
  std::optional<double> bytes;

  friend bool operator==(const OperationWork&, const OperationWork&) = default;
};

/// By the formulas of OperationKind. Empty if an input that a formula needs is missing, an extent
/// is negative, or a size is not a finite number. An operation without elements is no work.
[[nodiscard]] OperationWork operation_work(const OperationShapes& shapes);

/// Two operations that an engine runs as one, such as a norm and the multiplication by its weights:
/// the arithmetic of both, and the traffic of both without `between`, which is neither written nor
/// read.
[[nodiscard]] OperationWork fused_work(const OperationWork& first, const OperationWork& second,
                                       const TensorShape& between);

}  // namespace enprof
