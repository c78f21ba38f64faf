#include "report/protobuf_message.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace enprof {
namespace {

std::string hex(const ProtobufMessage& message) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char character : message.bytes()) {
    const auto byte = static_cast<unsigned char>(character);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

// The first three are the examples of protobuf.dev/programming-guides/encoding.
TEST(ProtobufMessage, WritesTheExamplesOfItsDocumentation) {
  EXPECT_EQ(hex(ProtobufMessage{}.number(1, 150)), "089601");
  EXPECT_EQ(hex(ProtobufMessage{}.text(2, "testing")), "120774657374696e67");
  EXPECT_EQ(hex(ProtobufMessage{}.message(3, ProtobufMessage{}.number(1, 150))), "1a03089601");
  EXPECT_EQ(hex(ProtobufMessage{}.number(1, -2)), "08feffffffffffffffff01");
  EXPECT_EQ(hex(ProtobufMessage{}.numbers(6, std::array<std::uint64_t, 3>{3, 270, 86942})),
            "3206038e029ea705");
}

TEST(ProtobufMessage, WritesEachSizeOfNumber) {
  EXPECT_EQ(hex(ProtobufMessage{}.number(1, 0)), "0800");
  EXPECT_EQ(hex(ProtobufMessage{}.number(1, 127)), "087f");
  EXPECT_EQ(hex(ProtobufMessage{}.number(1, 128)), "088001");
  EXPECT_EQ(hex(ProtobufMessage{}.number(1, std::numeric_limits<std::uint64_t>::max())),
            "08ffffffffffffffffff01");
  EXPECT_EQ(hex(ProtobufMessage{}.number(60, 1)), "e00301");  // a tag of two bytes
  EXPECT_EQ(hex(ProtobufMessage{}.real(44, 1.0)), "e102000000000000f03f");
}

TEST(ProtobufMessage, TextIsUtf8AndMayBeLong) {
  EXPECT_EQ(ProtobufMessage{}.text(1, "a\xFF").bytes(),
            "\n\x04"
            "a\xEF\xBF\xBD");
  const std::string bytes = ProtobufMessage{}.text(1, std::string(300, 'x')).bytes();
  EXPECT_EQ(bytes.size(), 303U);
  EXPECT_EQ(bytes.substr(0, 3), "\n\xAC\x02");
}

}  // namespace
}  // namespace enprof
