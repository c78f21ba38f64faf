#include "engines/llama/tensor_values.hpp"

#include <ggml-backend.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace enprof {
namespace {

/// The tensor's bytes from its first element to its last; copied to `bytes` if they are not in this
/// process's memory.
const std::uint8_t* data_of(const ggml_tensor& tensor, std::vector<std::uint8_t>& bytes) {
  const ggml_backend_buffer_t buffer =
      tensor.view_src != nullptr ? tensor.view_src->buffer : tensor.buffer;
  if (buffer == nullptr || ggml_backend_buffer_is_host(buffer)) {
    return static_cast<const std::uint8_t*>(tensor.data);
  }
  bytes.resize(ggml_nbytes(&tensor));
  ggml_backend_tensor_get(&tensor, bytes.data(), 0, bytes.size());
  return bytes.data();
}

/// Calls `visit` with the bytes of each row.
template <class Visitor>
void for_each_row(const ggml_tensor& tensor, const std::uint8_t* data, Visitor visit) {
  for (std::int64_t i3 = 0; i3 < tensor.ne[3]; ++i3) {
    for (std::int64_t i2 = 0; i2 < tensor.ne[2]; ++i2) {
      for (std::int64_t i1 = 0; i1 < tensor.ne[1]; ++i1) {
        visit(data + static_cast<std::size_t>(i1) * tensor.nb[1] +
              static_cast<std::size_t>(i2) * tensor.nb[2] +
              static_cast<std::size_t>(i3) * tensor.nb[3]);
      }
    }
  }
}

}  // namespace

bool is_readable(const ggml_tensor& tensor) noexcept {
  const ggml_type_traits* const traits = ggml_get_type_traits(tensor.type);
  return tensor.nb[0] == ggml_type_size(tensor.type) &&
         (tensor.type == GGML_TYPE_F32 || traits->to_float != nullptr);
}

void read_tensor(const ggml_tensor& tensor, std::vector<std::uint8_t>& bytes,
                 std::vector<float>& values) {
  values.resize(static_cast<std::size_t>(ggml_nelements(&tensor)));
  if (values.empty()) {
    return;
  }
  const auto to_float = ggml_get_type_traits(tensor.type)->to_float;
  const auto width = static_cast<std::size_t>(tensor.ne[0]);
  float* next = values.data();
  for_each_row(tensor, data_of(tensor, bytes), [&](const std::uint8_t* row) {
    if (tensor.type == GGML_TYPE_F32) {
      std::memcpy(next, row, width * sizeof(float));
    } else {
      to_float(row, next, tensor.ne[0]);
    }
    next += width;
  });
}

std::vector<std::int32_t> read_integers(const ggml_tensor& tensor,
                                        std::vector<std::uint8_t>& bytes) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(ggml_nelements(&tensor)));
  if (values.empty()) {
    return values;
  }
  const auto width = static_cast<std::size_t>(tensor.ne[0]);
  std::int32_t* next = values.data();
  for_each_row(tensor, data_of(tensor, bytes), [&](const std::uint8_t* row) {
    std::memcpy(next, row, width * sizeof(std::int32_t));
    next += width;
  });
  return values;
}

std::vector<std::size_t> visible_positions(const ggml_tensor* mask, std::size_t columns,
                                           std::size_t queries, std::vector<std::uint8_t>& bytes) {
  std::vector<std::size_t> visible(queries, columns);
  if (mask == nullptr || !is_readable(*mask)) {
    return visible;
  }
  std::vector<float> values;
  read_tensor(*mask, bytes, values);
  const auto width = static_cast<std::size_t>(mask->ne[0]);
  for (std::size_t query = 0; query < queries && (query + 1) * width <= values.size(); ++query) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(query * width);
    visible[query] = static_cast<std::size_t>(
        std::count_if(row, row + static_cast<std::ptrdiff_t>(width),
                      [](float value) { return !std::isinf(value) || value > 0.0F; }));
  }
  return visible;
}

}  // namespace enprof
