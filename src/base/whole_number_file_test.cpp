#include "base/whole_number_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <string_view>

namespace enprof {
namespace {

using ::testing::HasSubstr;

class WholeNumberFile : public ::testing::Test {
 protected:
  testing::TempDir dir_;

  [[nodiscard]] std::filesystem::path holding(std::string_view text) const {
    return dir_.write("value", text);
  }
};

TEST_F(WholeNumberFile, HoldsANumberOfEitherSign) {
  EXPECT_EQ(read_whole_number(holding("1500000\n")), 1'500'000);
  EXPECT_EQ(read_whole_number(holding("-12\n")), -12);
  EXPECT_EQ(read_whole_number(holding("0")), 0);
}

TEST_F(WholeNumberFile, IsRefusedWhereItHoldsAnythingElse) {
  for (const std::string_view text : {"", "\n", "12 mW", "0x10", "1.5", "99999999999999999999"}) {
    const auto number = read_whole_number(holding(text));
    ASSERT_FALSE(number) << text;
    EXPECT_EQ(number.error().code, ErrorCode::malformed);
    EXPECT_THAT(number.error().message, HasSubstr("where a whole number should be"));
  }
}

TEST_F(WholeNumberFile, TellsThatItIsMissing) {
  const auto number = read_whole_number(std::filesystem::path{"/nowhere/value"});
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace enprof
