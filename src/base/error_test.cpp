#include "enprof/base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace enprof {
namespace {

TEST(Error, ErrnoMapsToTheCodeThatSaysWhatToDo) {
  EXPECT_EQ(error_code_from_errno(EACCES), ErrorCode::permission_denied);
  EXPECT_EQ(error_code_from_errno(EROFS), ErrorCode::permission_denied);
  EXPECT_EQ(error_code_from_errno(ENOENT), ErrorCode::not_found);
  EXPECT_EQ(error_code_from_errno(ENOSPC), ErrorCode::too_large);
  EXPECT_EQ(error_code_from_errno(EIO), ErrorCode::io);
}

TEST(Error, EveryCodeHasItsOwnName) {
  EXPECT_EQ(to_string(ErrorCode::already_running), "already_running");
  EXPECT_EQ(to_string(ErrorCode::internal), "internal");
}

TEST(Error, FailMakesTheFailedSideOfAResult) {
  const Result<int> result = fail(ErrorCode::not_found, "no such run: x", "list them: enprof runs");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::not_found);
  EXPECT_EQ(result.error().message, "no such run: x");
  EXPECT_EQ(result.error().hint, "list them: enprof runs");
}

}  // namespace
}  // namespace enprof
