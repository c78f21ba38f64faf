// Reads the values of a ggml tensor, in any memory.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enprof {

/// Whether read_tensor() can read it: ggml can convert its type to floats, and rows have no gaps.
[[nodiscard]] bool is_readable(const ggml_tensor& tensor) noexcept;

/// All elements as floats, fastest dimension first. `bytes` is scratch memory.
void read_tensor(const ggml_tensor& tensor, std::vector<std::uint8_t>& bytes,
                 std::vector<float>& values);

/// The elements of an I32 tensor.
[[nodiscard]] std::vector<std::int32_t> read_integers(const ggml_tensor& tensor,
                                                      std::vector<std::uint8_t>& bytes);

/// How many of the `columns` positions each query may see, by the mask of a softmax: those that the
/// mask does not set to minus infinity. All of them if there is no mask.
[[nodiscard]] std::vector<std::size_t> visible_positions(const ggml_tensor* mask,
                                                         std::size_t columns, std::size_t queries,
                                                         std::vector<std::uint8_t>& bytes);

}  // namespace enprof
