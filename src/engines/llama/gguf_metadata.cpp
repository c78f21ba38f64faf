#include "engines/llama/gguf_metadata.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace enprof {
namespace {

template <class Real>
Real load_real(const void* data, std::size_t index) {
  Real value{};
  std::memcpy(&value, static_cast<const char*>(data) + index * sizeof(Real), sizeof(Real));
  return value;
}

template <class Number>
std::int64_t load(const void* data, std::size_t index) {
  Number value{};
  std::memcpy(&value, static_cast<const char*>(data) + index * sizeof(Number), sizeof(Number));
  if constexpr (sizeof(Number) == sizeof(std::int64_t) && std::is_unsigned_v<Number>) {
    constexpr auto kMost = static_cast<Number>(std::numeric_limits<std::int64_t>::max());
    value = std::min(value, kMost);
  }
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> load_integer(gguf_type type, const void* data, std::size_t index) {
  switch (type) {
    case GGUF_TYPE_UINT8:
      return load<std::uint8_t>(data, index);
    case GGUF_TYPE_INT8:
      return load<std::int8_t>(data, index);
    case GGUF_TYPE_UINT16:
      return load<std::uint16_t>(data, index);
    case GGUF_TYPE_INT16:
      return load<std::int16_t>(data, index);
    case GGUF_TYPE_UINT32:
      return load<std::uint32_t>(data, index);
    case GGUF_TYPE_INT32:
      return load<std::int32_t>(data, index);
    case GGUF_TYPE_UINT64:
      return load<std::uint64_t>(data, index);
    case GGUF_TYPE_INT64:
      return load<std::int64_t>(data, index);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::int64_t GgufMetadata::find(const std::string& key) const {
  return gguf_find_key(gguf_.get(), key.c_str());
}

bool GgufMetadata::has(const std::string& key) const { return find(key) >= 0; }

std::optional<std::string> GgufMetadata::text(const std::string& key) const {
  const std::int64_t id = find(key);
  if (id < 0 || gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_STRING) {
    return std::nullopt;
  }
  return gguf_get_val_str(gguf_.get(), id);
}

std::optional<bool> GgufMetadata::boolean(const std::string& key) const {
  const std::int64_t id = find(key);
  if (id < 0 || gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_BOOL) {
    return std::nullopt;
  }
  return gguf_get_val_bool(gguf_.get(), id);
}

std::optional<std::int64_t> GgufMetadata::integer(const std::string& key) const {
  const std::int64_t id = find(key);
  if (id < 0) {
    return std::nullopt;
  }
  const gguf_type type = gguf_get_kv_type(gguf_.get(), id);
  if (type == GGUF_TYPE_STRING || type == GGUF_TYPE_ARRAY) {
    return std::nullopt;
  }
  return load_integer(type, gguf_get_val_data(gguf_.get(), id), 0);
}

std::vector<std::int64_t> GgufMetadata::integers(const std::string& key) const {
  std::vector<std::int64_t> result;
  const std::int64_t id = find(key);
  if (id < 0) {
    return result;
  }
  if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_ARRAY) {
    if (const auto value = integer(key)) {
      result.push_back(*value);
    }
    return result;
  }
  const gguf_type type = gguf_get_arr_type(gguf_.get(), id);
  if (type == GGUF_TYPE_STRING) {
    return result;
  }
  const std::size_t count = gguf_get_arr_n(gguf_.get(), id);
  for (std::size_t index = 0; index < count; ++index) {
    const auto value = load_integer(type, gguf_get_arr_data(gguf_.get(), id), index);
    if (!value) {
      return {};
    }
    result.push_back(*value);
  }
  return result;
}

std::vector<double> GgufMetadata::reals(const std::string& key) const {
  const std::int64_t id = find(key);
  if (id < 0) {
    return {};
  }
  const bool is_array = gguf_get_kv_type(gguf_.get(), id) == GGUF_TYPE_ARRAY;
  const gguf_type type =
      is_array ? gguf_get_arr_type(gguf_.get(), id) : gguf_get_kv_type(gguf_.get(), id);
  if (type != GGUF_TYPE_FLOAT32 && type != GGUF_TYPE_FLOAT64) {
    return {};
  }
  const void* const data =
      is_array ? gguf_get_arr_data(gguf_.get(), id) : gguf_get_val_data(gguf_.get(), id);
  std::vector<double> result(is_array ? gguf_get_arr_n(gguf_.get(), id) : 1);
  for (std::size_t index = 0; index < result.size(); ++index) {
    result[index] = type == GGUF_TYPE_FLOAT32 ? static_cast<double>(load_real<float>(data, index))
                                              : load_real<double>(data, index);
  }
  return result;
}

std::string GgufMetadata::architecture() const { return text("general.architecture").value_or(""); }

std::string GgufMetadata::own_key(std::string_view key) const {
  return architecture() + '.' + std::string(key);
}

}  // namespace enprof
