#include "engines/llama/synth_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>
#include <random>
#include <span>
#include <string_view>

namespace enprof {
namespace {

constexpr std::size_t kPoolElements = std::size_t{1} << 18U;
constexpr std::size_t kBufferBytes = std::size_t{4} << 20U;

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

/// Box and Muller, because std::normal_distribution differs between standard libraries.
std::vector<float> gaussian(std::size_t count, double deviation, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto uniform = [&random] {  // (0, 1]
    return (static_cast<double>(random() >> 11U) + 1.0) * 0x1.0p-53;
  };
  std::vector<float> values(count + count % 2);
  for (std::size_t index = 0; index < values.size(); index += 2) {
    const double radius = deviation * std::sqrt(-2.0 * std::log(uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    values[index] = static_cast<float>(radius * std::cos(angle));
    values[index + 1] = static_cast<float>(radius * std::sin(angle));
  }
  values.resize(count);
  return values;
}

/// FNV-1a, because std::hash differs between standard libraries.
std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char character : name) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001B3U;
  }
  return hash;
}

/// The value of a tensor with only one value; empty for matrices.
std::optional<float> constant_of(const PlannedTensor& tensor) {
  const std::string_view name = tensor.name;
  if (name.ends_with(".bias")) {
    return 0.0F;
  }
  if (name.ends_with(".ssm_a")) {
    return -1.0F;  // the state must decay: e^(a·dt) < 1
  }
  return tensor.dimensions() == 1 ? std::optional(1.0F) : std::nullopt;
}

}  // namespace

SynthWeights::SynthWeights(std::uint64_t seed, std::vector<bool> silent)
    : seed_(seed), silent_(std::move(silent)), buffer_(kBufferBytes) {}

const std::vector<std::byte>& SynthWeights::pool(ggml_type type, std::int64_t width) {
  std::vector<std::byte>& bytes = pools_[{type, width}];
  if (bytes.empty()) {
    const auto block = static_cast<std::size_t>(ggml_blck_size(type));
    const auto wanted = std::max(kPoolElements, 4 * static_cast<std::size_t>(width));
    const std::size_t elements = (wanted + block - 1) / block * block;
    const std::vector<float> values =
        gaussian(elements, 1.0 / std::sqrt(static_cast<double>(width)), mix(seed_));
    const auto length = static_cast<std::int64_t>(elements);
    bytes.resize(ggml_row_size(type, length));
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, 1, length, nullptr);
  }
  return bytes;
}

Result<void> SynthWeights::append(PartialFile& file, const PlannedTensor& tensor, bool output,
                                  const std::function<bool(std::uint64_t)>& on_bytes) {
  const std::size_t row_bytes = ggml_row_size(tensor.type, tensor.shape[0]);
  const auto rows = static_cast<std::size_t>(tensor.rows());
  const auto constant = constant_of(tensor);
  std::vector<std::byte> constant_row;
  if (constant) {
    const std::vector<float> values(static_cast<std::size_t>(tensor.shape[0]), *constant);
    constant_row.resize(row_bytes);
    ggml_quantize_chunk(tensor.type, values.data(), constant_row.data(), 0, 1, tensor.shape[0],
                        nullptr);
  }
  const std::vector<std::byte>& source =
      constant ? constant_row : pool(tensor.type, tensor.shape[0]);
  const std::size_t block_bytes = ggml_type_size(tensor.type);
  const std::size_t places = constant ? 1 : (source.size() - row_bytes) / block_bytes + 1;
  const std::uint64_t salt = mix(seed_ ^ name_hash(tensor.name));

  buffer_.resize(std::max(kBufferBytes, row_bytes));
  std::size_t filled = 0;
  const auto flush = [&]() -> Result<void> {
    auto written = file.write(std::span(buffer_).first(filled));
    if (written && !on_bytes(filled)) {
      return fail(ErrorCode::cancelled, "Making the model was cancelled");
    }
    filled = 0;
    return written;
  };
  for (std::size_t row = 0; row < rows; ++row) {
    if (filled + row_bytes > buffer_.size()) {
      if (auto written = flush(); !written) {
        return written;
      }
    }
    std::byte* const target = buffer_.data() + filled;
    if (output && row < silent_.size() && silent_[row]) {
      std::memset(target, 0, row_bytes);  // zero in every type of ggml
    } else {
      const std::size_t place = mix(salt + row) % places;
      std::memcpy(target, source.data() + place * block_bytes, row_bytes);
    }
    filled += row_bytes;
  }
  return flush();
}

}  // namespace enprof
