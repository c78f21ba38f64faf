#include "base/file_version.hpp"

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

namespace enprof {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

TEST(FileVersion, StaysWhileTheFileDoes) {
  const testing::TempDir directory;
  const auto path = directory.path() / "m.gguf";
  write(path, "abc");
  const auto version = FileVersion::of(path);
  ASSERT_TRUE(version);
  EXPECT_EQ(FileVersion::of(path), version);
  EXPECT_FALSE(FileVersion::of(directory.path() / "none.gguf"));
}

TEST(FileVersion, AnotherFileOfThatNameIsAnother) {
  const testing::TempDir directory;
  const auto path = directory.path() / "m.gguf";
  write(path, "abc");
  const auto before = FileVersion::of(path);
  const auto time = std::filesystem::last_write_time(path);
  // As large and as old as the first: only the inode differs.
  write(directory.path() / "new.gguf", "xyz");
  std::filesystem::last_write_time(directory.path() / "new.gguf", time);
  std::filesystem::rename(directory.path() / "new.gguf", path);
  EXPECT_NE(FileVersion::of(path), before);
}

TEST(FileVersion, AFileThatIsWrittenAnewIsAnother) {
  const testing::TempDir directory;
  const auto path = directory.path() / "m.gguf";
  write(path, "abc");
  const auto before = FileVersion::of(path);
  write(path, "abcd");
  const auto longer = FileVersion::of(path);
  EXPECT_NE(longer, before);
  std::filesystem::last_write_time(
      path, std::filesystem::last_write_time(path) + std::chrono::seconds{1});
  EXPECT_NE(FileVersion::of(path), longer);
}

}  // namespace
}  // namespace enprof
