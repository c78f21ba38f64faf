#include "engines/llama/partial_file.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <span>
#include <string_view>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PartialFileTest : public ::testing::Test {
 protected:
  static Result<void> write(PartialFile& file, std::string_view text) {
    return file.write(std::as_bytes(std::span(text)));
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_.path()), {}));
  }

  const testing::TempDir directory_;
  const fs::path path_ = directory_.path() / "model.gguf";
};

TEST_F(PartialFileTest, IsThereOnlyAfterCommit) {
  auto file = PartialFile::create(path_);
  ASSERT_TRUE(file);
  ASSERT_TRUE(write(*file, "thrown away"));
  ASSERT_TRUE(file->restart());
  ASSERT_TRUE(write(*file, "one "));
  ASSERT_TRUE(write(*file, "two"));
  EXPECT_EQ(file->written(), 7U);
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(file->partial_path()));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(testing::read_file(path_), "one two");
  EXPECT_EQ(files(), 1U);
}

TEST_F(PartialFileTest, LeavesNothingWithoutCommit) {
  {
    auto file = PartialFile::create(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(write(*file, "half"));
    const PartialFile moved = std::move(*file);
    EXPECT_EQ(files(), 1U);
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(PartialFileTest, KeepsTheOldFileWhereItFails) {
  directory_.write("model.gguf", "old");
  {
    auto file = PartialFile::create(path_);
    ASSERT_TRUE(write(*file, "new"));
  }
  EXPECT_EQ(testing::read_file(path_), "old");
}

TEST_F(PartialFileTest, SaysWhatIsWrongWithThePlace) {
  const auto nowhere = PartialFile::create(directory_.path() / "no" / "m.gguf");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
  EXPECT_THAT(nowhere.error().hint, HasSubstr("mkdir -p"));
  const auto directory = PartialFile::create(directory_.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::invalid_argument);
}

TEST_F(PartialFileTest, AFullDiskLeavesNothing) {
  // A limit on the file size replaces a full disk: the error path is the same.
  ASSERT_NE(std::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  rlimit limit = old;
  limit.rlim_cur = 1024;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  {
    auto file = PartialFile::create(path_);
    ASSERT_TRUE(file);
    const std::vector<std::byte> bytes(4096);
    const auto written = file->write(bytes);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::too_large);
    EXPECT_THAT(written.error().message, HasSubstr("after 1024 bytes"));
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(files(), 0U);
}

}  // namespace
}  // namespace enprof
