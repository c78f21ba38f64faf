#include "report/protobuf_message.hpp"

#include "base/utf8.hpp"

#include <bit>

namespace enprof {
namespace {

constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kLengthDelimited = 2;

}  // namespace

void ProtobufMessage::add_varint(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_ += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  bytes_ += static_cast<char>(value);
}

void ProtobufMessage::add_tag(std::uint32_t field, std::uint32_t wire_type) {
  add_varint((std::uint64_t{field} << 3U) | wire_type);
}

void ProtobufMessage::add_bytes(std::uint32_t field, std::string_view value) {
  add_tag(field, kLengthDelimited);
  add_varint(value.size());
  bytes_ += value;
}

ProtobufMessage& ProtobufMessage::varint(std::uint32_t field, std::uint64_t value) {
  add_tag(field, kVarint);
  add_varint(value);
  return *this;
}

ProtobufMessage& ProtobufMessage::real(std::uint32_t field, double value) {
  add_tag(field, kFixed64);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (unsigned shift = 0; shift < 64; shift += 8) {
    bytes_ += static_cast<char>((bits >> shift) & 0xFFU);
  }
  return *this;
}

ProtobufMessage& ProtobufMessage::text(std::uint32_t field, std::string_view value) {
  if (first_invalid_utf8(value)) {
    add_bytes(field, to_valid_utf8(value));
  } else {
    add_bytes(field, value);
  }
  return *this;
}

ProtobufMessage& ProtobufMessage::message(std::uint32_t field, const ProtobufMessage& value) {
  add_bytes(field, value.bytes_);
  return *this;
}

ProtobufMessage& ProtobufMessage::numbers(std::uint32_t field,
                                          std::span<const std::uint64_t> values) {
  ProtobufMessage list;
  for (const std::uint64_t value : values) {
    list.add_varint(value);
  }
  return message(field, list);
}

}  // namespace enprof
