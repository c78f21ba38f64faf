#include "model/operation_work.hpp"

#include <algorithm>
#include <cmath>

namespace enprof {
namespace {

using Kind = OperationKind;

bool is_sound(const TensorShape& shape) {
  return std::ranges::all_of(shape.extents, [](std::int64_t extent) { return extent >= 0; }) &&
         std::isfinite(shape.element_bytes) && shape.element_bytes >= 0.0;
}

std::size_t needed_inputs(Kind kind) {
  switch (kind) {
    case Kind::matmul:
    case Kind::get_rows:
    case Kind::set_rows:
    case Kind::ssm_conv:
      return 2;
    case Kind::matmul_experts:
    case Kind::flash_attention:
    case Kind::add_rows:
      return 3;
    case Kind::gated_linear_attention:
      return 5;
    case Kind::gated_delta_net:
    case Kind::rwkv6:
    case Kind::ssm_scan:
      return 6;
    case Kind::rwkv7:
      return 7;
    case Kind::l2_norm:
    case Kind::rms_norm:
    case Kind::layer_norm:
    case Kind::rope:
    case Kind::softmax:
    case Kind::reduction:
      return 1;
    case Kind::elementwise:
    case Kind::softplus:
    case Kind::silu:
    case Kind::gelu:
    case Kind::swiglu:
    case Kind::swiglu_oai:
    case Kind::geglu:
    case Kind::copy:
    case Kind::sort:
    case Kind::other:
      return 0;
  }
  return 0;
}

double extent(const TensorShape& shape, std::size_t dimension) {
  return static_cast<double>(shape.extents[dimension]);
}

/// Rows of the fastest dimension.
double rows(const TensorShape& shape) {
  return extent(shape, 1) * extent(shape, 2) * extent(shape, 3);
}

double rope_flops(const OperationShapes& shapes) {
  const TensorShape& result = shapes.result;
  const double width = extent(result, 0);
  const double rotated =
      shapes.rotated ? std::clamp(static_cast<double>(*shapes.rotated), 0.0, width) : width;
  const double pairs = rotated / 2.0;
  const double positions = extent(result, 2) * extent(result, 3);
  return pairs * (6.0 * rows(result) + 3.0 * positions);
}

double flash_attention_flops(const OperationShapes& shapes) {
  const TensorShape& queries = shapes.inputs[0];
  const double key_width = extent(shapes.inputs[1], 0);
  const double positions = extent(shapes.inputs[1], 1);
  const double value_width = extent(shapes.inputs[2], 0);
  return rows(queries) * positions * (2.0 * key_width + 6.0 + 2.0 * value_width);
}

double ssm_scan_flops(const OperationShapes& shapes) {
  const double state_width = extent(shapes.inputs[0], 0);
  const TensorShape& x = shapes.inputs[1];
  const TensorShape& dt = shapes.inputs[2];
  const TensorShape& decay = shapes.inputs[3];
  const double states = state_width * x.elements();
  const bool scalar_decay = decay.extents[0] == 1;
  return 5.0 * states + 2.0 * (scalar_decay ? dt.elements() : states) + x.elements() +
         3.0 * dt.elements();
}

/// Elements of the states of all heads × positions: the state of a head is square.
double states_at_positions(const TensorShape& input) { return extent(input, 0) * input.elements(); }

double gated_delta_net_flops(const OperationShapes& shapes) {
  const TensorShape& values = shapes.inputs[2];
  return 7.0 * states_at_positions(values) + 3.0 * values.elements() + shapes.inputs[3].elements();
}

std::optional<double> flops_of(const OperationShapes& shapes) {
  const double elements = shapes.result.elements();
  const auto extra = static_cast<double>(std::min<std::size_t>(shapes.inputs.size(), 3)) - 1.0;
  switch (shapes.kind) {
    case Kind::matmul:
    case Kind::matmul_experts:
      return 2.0 * extent(shapes.inputs[0], 0) * elements;
    case Kind::elementwise:
    case Kind::add_rows:
      return elements;
    case Kind::softplus:
      return 3.0 * elements;
    case Kind::silu:
      return 4.0 * elements;
    case Kind::gelu:
      return 9.0 * elements;
    case Kind::swiglu:
      return 5.0 * elements;
    case Kind::swiglu_oai:
      return 7.0 * elements;
    case Kind::geglu:
      return 10.0 * elements;
    case Kind::rms_norm:
      return (3.0 + extra) * elements + 4.0 * rows(shapes.result);
    case Kind::layer_norm:
      return (5.0 + extra) * elements + 5.0 * rows(shapes.result);
    case Kind::l2_norm:
      return 3.0 * elements + 2.0 * rows(shapes.result);
    case Kind::rope:
      return rope_flops(shapes);
    case Kind::softmax:
      return (shapes.inputs.size() > 1 ? 6.0 : 5.0) * elements;
    case Kind::flash_attention:
      return flash_attention_flops(shapes);
    case Kind::reduction:
      return shapes.inputs[0].elements();
    case Kind::ssm_conv:
      return 2.0 * extent(shapes.inputs[1], 0) * elements;
    case Kind::ssm_scan:
      return ssm_scan_flops(shapes);
    case Kind::gated_delta_net:
      return gated_delta_net_flops(shapes);
    case Kind::rwkv6:
      return 7.0 * states_at_positions(shapes.inputs[0]);
    case Kind::rwkv7:
      return 9.0 * states_at_positions(shapes.inputs[0]);
    case Kind::gated_linear_attention:
      return 5.0 * states_at_positions(shapes.inputs[0]) + shapes.inputs[2].elements();
    case Kind::get_rows:
    case Kind::set_rows:
    case Kind::copy:
    case Kind::sort:
      return 0.0;
    case Kind::other:
      return std::nullopt;
  }
  return std::nullopt;
}

double bytes_of(const OperationShapes& shapes) {
  double bytes = shapes.result.bytes();
  for (const TensorShape& input : shapes.inputs) {
    bytes += input.bytes();
  }
  const auto instead = [&](const TensorShape& whole, double touched_elements) {
    bytes += (touched_elements - whole.elements()) * whole.element_bytes;
  };
  switch (shapes.kind) {
    case Kind::matmul_experts: {
      const TensorShape& weights = shapes.inputs[0];
      const double chosen = std::min(extent(weights, 2), shapes.inputs[2].elements());
      instead(weights, extent(weights, 0) * extent(weights, 1) * chosen);
      break;
    }
    case Kind::add_rows: {
      const TensorShape& table = shapes.inputs[1];
      const double chosen = std::min(extent(table, 1), shapes.inputs[2].elements());
      instead(table, extent(table, 0) * chosen);
      break;
    }
    case Kind::get_rows:
      instead(shapes.inputs[0], shapes.result.elements());
      break;
    case Kind::set_rows:
      instead(shapes.result, shapes.inputs[0].elements());
      break;
    case Kind::ssm_scan: {
      const TensorShape& state = shapes.inputs[0];
      const double sequences = extent(shapes.inputs[1], 3);
      instead(state, extent(state, 0) * extent(state, 1) * extent(state, 2) * sequences);
      break;
    }
    default:
      break;
  }
  return bytes;
}

std::optional<double> finite(std::optional<double> value) {
  return value && std::isfinite(*value) ? value : std::nullopt;
}

}  // namespace

OperationWork operation_work(const OperationShapes& shapes) {
  if (shapes.inputs.size() < needed_inputs(shapes.kind) || !is_sound(shapes.result) ||
      !std::ranges::all_of(shapes.inputs, is_sound)) {
    return {};
  }
  if (shapes.result.elements() == 0.0) {
    return {.flops = 0.0, .bytes = 0.0};
  }
  return {.flops = finite(flops_of(shapes)), .bytes = finite(bytes_of(shapes))};
}

OperationWork fused_work(const OperationWork& first, const OperationWork& second,
                         const TensorShape& between) {
  OperationWork work;
  if (first.flops && second.flops) {
    work.flops = *first.flops + *second.flops;
  }
  if (first.bytes && second.bytes) {
    work.bytes = std::max(0.0, *first.bytes + *second.bytes - 2.0 * between.bytes());
  }
  return work;
}

}  // namespace enprof
