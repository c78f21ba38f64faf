// Reads the wire format of Protocol Buffers, to check what was written.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof::testing {

/// The fields of a message, in the order of its bytes. Anything that does not parse fails the test.
class ProtobufFields {
 public:
  struct Field {
    std::uint32_t number = 0;
    std::uint64_t value = 0;  ///< of a varint, or the bits of a double
    std::string bytes;        ///< of a text, a message or a packed list
  };

  explicit ProtobufFields(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::uint64_t tag = varint(bytes);
      Field field{.number = static_cast<std::uint32_t>(tag >> 3U)};
      switch (tag & 7U) {
        case 0:
          field.value = varint(bytes);
          break;
        case 1:
          field.value = fixed64(bytes);
          break;
        case 2:
          field.bytes = text(bytes);
          break;
        default:
          ADD_FAILURE() << "wire type " << (tag & 7U);
          return;
      }
      fields_.push_back(std::move(field));
    }
  }

  [[nodiscard]] const std::vector<Field>& all() const { return fields_; }
  [[nodiscard]] std::vector<std::string> texts(std::uint32_t number) const {
    std::vector<std::string> result;
    for (const Field& field : fields_) {
      if (field.number == number) {
        result.push_back(field.bytes);
      }
    }
    return result;
  }
  [[nodiscard]] bool has(std::uint32_t number) const { return find(number) != nullptr; }
  [[nodiscard]] std::uint64_t number(std::uint32_t number) const {
    const Field* const field = find(number);
    return field == nullptr ? 0 : field->value;
  }
  [[nodiscard]] double real(std::uint32_t number) const {
    return std::bit_cast<double>(this->number(number));
  }
  [[nodiscard]] std::string text(std::uint32_t number) const {
    const Field* const field = find(number);
    return field == nullptr ? std::string{} : field->bytes;
  }
  /// The message in a field; empty if it is not there.
  [[nodiscard]] ProtobufFields message(std::uint32_t number) const {
    return ProtobufFields(text(number));
  }

  /// The numbers of a packed list.
  [[nodiscard]] static std::vector<std::uint64_t> numbers(std::string_view bytes) {
    std::vector<std::uint64_t> result;
    while (!bytes.empty()) {
      result.push_back(varint(bytes));
    }
    return result;
  }

 private:
  [[nodiscard]] const Field* find(std::uint32_t number) const {
    for (const Field& field : fields_) {
      if (field.number == number) {
        return &field;
      }
    }
    return nullptr;
  }

  static std::uint64_t varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    ADD_FAILURE() << "a varint has no end";
    bytes = {};
    return 0;
  }
  static std::uint64_t fixed64(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (unsigned index = 0; index < 8 && index < bytes.size(); ++index) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes[index])} << (8 * index);
    }
    EXPECT_GE(bytes.size(), 8U);
    bytes.remove_prefix(std::min<std::size_t>(8, bytes.size()));
    return value;
  }
  static std::string text(std::string_view& bytes) {
    const std::uint64_t size = varint(bytes);
    EXPECT_LE(size, bytes.size());
    const std::string result{bytes.substr(0, size)};
    bytes.remove_prefix(result.size());
    return result;
  }

  std::vector<Field> fields_;
};

}  // namespace enprof::testing
