#include "base/polled_file.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <utility>

namespace enprof {
namespace {

class PolledFileTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;

  Result<std::uint64_t> number_in(std::string_view text) const {
    const auto file = PolledFile::open(dir_.write("value", text));
    EXPECT_TRUE(file);
    return file->read_number();
  }
};

TEST_F(PolledFileTest, ReadsTheValueOfTheMoment) {
  const auto file = PolledFile::open(dir_.write("energy_uj", "100\n"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->read_number(), 100U);
  dir_.write("energy_uj", "2500\n");
  EXPECT_EQ(file->read_number(), 2500U);
}

TEST_F(PolledFileTest, ReadsNoMoreThanFits) {
  const auto file = PolledFile::open(dir_.write("text", "abcdef"));
  ASSERT_TRUE(file);
  std::array<char, 4> small{};
  EXPECT_EQ(file->read(small), "abcd");
  std::array<char, 64> large{};
  EXPECT_EQ(file->read(large), "abcdef");
}

TEST_F(PolledFileTest, NamesThePathAndTheReason) {
  const auto missing = PolledFile::open(dir_.path() / "none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_NE(missing.error().message.find((dir_.path() / "none").string()), std::string::npos);
  EXPECT_NE(missing.error().message.find("errno 2"), std::string::npos);

  const auto directory = PolledFile::open(dir_.path());
  ASSERT_TRUE(directory);  // a directory opens, but cannot be read
  EXPECT_FALSE(directory->read_number());
}

TEST_F(PolledFileTest, OnlyAWholeNumberIsANumber) {
  EXPECT_EQ(number_in("0"), 0U);
  EXPECT_EQ(number_in("000123 \n"), 123U);
  EXPECT_EQ(number_in("18446744073709551615\n"), std::numeric_limits<std::uint64_t>::max());
  for (const char* bad :
       {"", "\n", "-1\n", "1.5\n", "12 34\n", "abc\n", "18446744073709551616\n"}) {
    const auto number = number_in(bad);
    ASSERT_FALSE(number) << bad;
    EXPECT_EQ(number.error().code, ErrorCode::malformed);
    EXPECT_NE(number.error().message.find("value"), std::string::npos);
  }
}

TEST_F(PolledFileTest, CanBeMoved) {
  auto first = PolledFile::open(dir_.write("one", "1\n"));
  auto second = PolledFile::open(dir_.write("two", "2\n"));
  ASSERT_TRUE(first && second);
  PolledFile moved(std::move(*first));
  EXPECT_EQ(moved.read_number(), 1U);
  moved = std::move(*second);
  EXPECT_EQ(moved.read_number(), 2U);
  EXPECT_EQ(moved.path(), dir_.path() / "two");
}

}  // namespace
}  // namespace enprof
