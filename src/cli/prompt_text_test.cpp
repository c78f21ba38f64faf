#include "cli/prompt_text.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using namespace std::string_view_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const PromptOrigin kFile{.is_argument = false, .file = "/tmp/my prompt.txt"};
const PromptOrigin kInput{.is_argument = false, .file = "-"};

Error error_of(std::string_view bytes, const PromptOrigin& origin) {
  const auto text = prompt_text(bytes, origin);
  EXPECT_FALSE(text);
  return text ? Error{} : text.error();
}

TEST(PromptText, AByteOrderMarkIsNoPartOfIt) {
  EXPECT_EQ(prompt_text("\xEF\xBB\xBFHello\n", kFile), "Hello\n");
  EXPECT_EQ(prompt_text("\xEF\xBB\xBFHello", {}), "Hello");
  EXPECT_EQ(prompt_text("caf\xC3\xA9", kInput), "caf\xC3\xA9");
  EXPECT_EQ(error_of("\xEF\xBB\xBF", kFile).message, "The prompt is empty");
  EXPECT_EQ(error_of("", {}).message, "The prompt is empty");
}

TEST(PromptText, WideEncodingsAreNamedWithTheCommandThatConverts) {
  const Error marked = error_of("\xFF\xFEH\0e\0"sv, kFile);
  EXPECT_EQ(marked.code, ErrorCode::invalid_argument);
  EXPECT_THAT(marked.message, HasSubstr("UTF-16"));
  EXPECT_THAT(marked.hint, HasSubstr("iconv -f utf-16le -t utf-8 '/tmp/my prompt.txt' | enprof"));
  EXPECT_THAT(error_of("\0H\0i"sv, kFile).hint, HasSubstr("iconv -f utf-16be"));
  EXPECT_THAT(error_of("H\0\0\0i\0\0\0"sv, kFile).hint, HasSubstr("iconv -f utf-32le"));
  EXPECT_THAT(error_of("H\0i\0"sv, kInput).hint,
              HasSubstr("… | iconv -f utf-16le -t utf-8 | enprof run -f - …"));
}

TEST(PromptText, InvalidUtf8IsReportedWithPositionAndConversion) {
  const Error error = error_of(
      "\xEF\xBB\xBF"
      "caf\xE9 au lait",
      kFile);
  EXPECT_THAT(error.message, HasSubstr("byte 6 is 0xe9"));
  EXPECT_THAT(error.hint, HasSubstr("iconv -f latin1 -t utf-8 '/tmp/my prompt.txt' |"));
  EXPECT_THAT(error_of("\xE9", {}).hint, AllOf(HasSubstr("UTF-8"), HasSubstr("iconv")));
}

TEST(PromptText, ZeroBytesAreNoText) {
  const Error error = error_of("Hello\0"sv, kFile);
  EXPECT_THAT(error.message, HasSubstr("byte 5 is zero"));
  EXPECT_THAT(error.hint, HasSubstr("tr -d '\\000' < '/tmp/my prompt.txt' | enprof"));
  EXPECT_THAT(error_of("Hello\0"sv, kInput).hint, Not(HasSubstr("<")));
}

TEST(ReadPromptFile, SaysWhyItCannot) {
  const testing::TempDir directory;
  EXPECT_EQ(read_prompt_file(directory.write("p.txt", "a\nb").string()), "a\nb");
  const auto missing = read_prompt_file((directory.path() / "none").string());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, AllOf(HasSubstr("none"), HasSubstr("No such file")));
  const auto is_directory = read_prompt_file(directory.path().string());
  ASSERT_FALSE(is_directory);
  EXPECT_THAT(is_directory.error().message, HasSubstr("directory"));
}

TEST(ReadPromptFile, WhatDoesNotEndIsRefused) {
  const auto endless = read_prompt_file("/dev/zero");
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace enprof
