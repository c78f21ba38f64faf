#include "base/named_pipe.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

namespace enprof {
namespace {

TEST(NamedPipe, IsRefusedWithoutOpeningIt) {
  const testing::TempDir dir;
  const auto pipe = dir.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto refused = refuse_named_pipe(pipe);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("is a pipe, not a file"));
}

TEST(NamedPipe, WhatIsAFileOrMissingIsNot) {
  const testing::TempDir dir;
  EXPECT_TRUE(refuse_named_pipe(dir.write("file", "text")));
  EXPECT_TRUE(refuse_named_pipe(dir.path() / "missing"));
  EXPECT_TRUE(refuse_named_pipe(dir.path()));
}

}  // namespace
}  // namespace enprof
