// Writes messages of Protocol Buffers.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace enprof {

/// A message in the wire format of Protocol Buffers
/// (protobuf.dev/programming-guides/encoding), field by field. Field numbers are those of the
/// format's .proto file. Fields are written as they are added, also those with default values.
class ProtobufMessage {
 public:
  /// int32, int64, uint32, uint64, bool or enum.
  template <std::integral Number>
  ProtobufMessage& number(std::uint32_t field, Number value) {
    return varint(field, static_cast<std::uint64_t>(value));
  }
  /// double.
  ProtobufMessage& real(std::uint32_t field, double value);
  /// string, whose bytes that are not UTF-8 are replaced: readers refuse them.
  ProtobufMessage& text(std::uint32_t field, std::string_view value);
  ProtobufMessage& message(std::uint32_t field, const ProtobufMessage& value);
  /// A packed list of numbers.
  ProtobufMessage& numbers(std::uint32_t field, std::span<const std::uint64_t> values);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  void clear() { bytes_.clear(); }

 private:
  ProtobufMessage& varint(std::uint32_t field, std::uint64_t value);
  void add_varint(std::uint64_t value);
  void add_tag(std::uint32_t field, std::uint32_t wire_type);
  void add_bytes(std::uint32_t field, std::string_view value);

  std::string bytes_;
};

}  // namespace enprof
