#include "base/directory_names.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(DirectoryNames, AreThoseOfFilesAndDirectories) {
  const testing::TempDir dir;
  dir.write("cpu0/online", "1\n");
  dir.write("present", "0\n");
  EXPECT_THAT(names_in(dir.path()), ::testing::UnorderedElementsAre("cpu0", "present"));
}

TEST(DirectoryNames, OfWhatIsNoDirectoryThereAreNone) {
  const testing::TempDir dir;
  EXPECT_TRUE(names_in(dir.write("file", "")).empty());
  EXPECT_TRUE(names_in(dir.path() / "missing").empty());
}

}  // namespace
}  // namespace enprof
