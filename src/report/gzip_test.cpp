#include "report/gzip.hpp"

#include <gtest/gtest.h>

#include <archive.h>
#include <archive_entry.h>
#include <string>

namespace enprof {
namespace {

std::string unpack(const std::string& bytes) {
  archive* const gz = archive_read_new();
  archive_read_support_filter_gzip(gz);
  archive_read_support_format_raw(gz);
  EXPECT_EQ(archive_read_open_memory(gz, bytes.data(), bytes.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  EXPECT_EQ(archive_read_next_header(gz, &entry), ARCHIVE_OK);
  std::string text(1'000'000, '\0');
  const la_ssize_t size = archive_read_data(gz, text.data(), text.size());
  EXPECT_GE(size, 0);
  text.resize(static_cast<std::size_t>(size < 0 ? 0 : size));
  archive_read_free(gz);
  return text;
}

TEST(Gzip, UnpacksToTheSameText) {
  std::string text = "joules\n";
  for (int number = 0; number < 50'000; ++number) {
    text += std::to_string(number * 7919);
  }
  for (const std::string& some : {text, std::string{"x"}}) {
    const auto packed = gzip(some);
    ASSERT_TRUE(packed);
    EXPECT_EQ(packed->substr(0, 2), "\x1F\x8B");
    EXPECT_EQ(packed->substr(4, 4), std::string(4, '\0')) << "the time is left out";
    EXPECT_EQ(unpack(*packed), some);
  }
}

}  // namespace
}  // namespace enprof
