#include "base/unnamed_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <unistd.h>

namespace enprof {
namespace {

using ::testing::HasSubstr;

TEST(UnnamedFile, HoldsWhatIsWrittenAndShowsNowhere) {
  const testing::TempDir directory;
  auto file = UnnamedFile::create(directory.path());
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  ASSERT_TRUE(file->append("hello "));
  UnnamedFile moved = std::move(*file);
  ASSERT_TRUE(moved.append("world"));
  EXPECT_EQ(moved.size(), 11U);
  const int descriptor = moved.release();
  std::array<char, 32> text{};
  EXPECT_EQ(::read(descriptor, text.data(), text.size()), 11);
  EXPECT_STREQ(text.data(), "hello world");
  ::close(descriptor);
}

TEST(UnnamedFile, ADirectoryThatIsGoneIsNamed) {
  const auto file = UnnamedFile::create("/no/such/place");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::not_found);
  EXPECT_THAT(file.error().message, HasSubstr("/no/such/place"));
  EXPECT_THAT(file.error().hint, HasSubstr("TMPDIR"));
}

}  // namespace
}  // namespace enprof
