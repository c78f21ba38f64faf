#include "cli/option_values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enprof {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The value after validation, or the error message in brackets.
std::string validated(const CLI::Validator& validator, std::string text) {
  const std::string complaint = validator(text);
  return complaint.empty() ? text : "(" + complaint + ")";
}

TEST(WholeNumber, TakesDecimalDigitsAlone) {
  const auto validator = whole_number(1, 1'000'000);
  EXPECT_EQ(validator.get_description(), "1 to 1,000,000");
  EXPECT_EQ(validated(validator, "128"), "128");
  EXPECT_EQ(validated(validator, "010"), "10");
  EXPECT_EQ(validated(validator, "+7"), "7");
  for (const char* const wrong : {"", "many", "1e3", "0x10", "1.5", " 5", "5 ", "nan", "--5"}) {
    EXPECT_THAT(validated(validator, wrong), HasSubstr("is not a whole number")) << wrong;
  }
  for (const char* const outside : {"0", "-5", "1000001", "99999999999999999999999"}) {
    EXPECT_THAT(validated(validator, outside),
                AllOf(HasSubstr(outside), HasSubstr("out of range"), HasSubstr("1,000,000")));
  }
}

TEST(Percentage, TakesItsSign) {
  const auto validator = percentage(100.0);
  EXPECT_EQ(validator.get_description(), "0 to 100 %");
  EXPECT_EQ(validated(validator, "2%"), "2");
  EXPECT_EQ(validated(validator, "0.5 %"), "0.5");
  EXPECT_EQ(validated(validator, "3"), "3");
  for (const char* const wrong : {"", "%", "x%", "%2", "-1%", "101%"}) {
    EXPECT_THAT(validated(validator, wrong), HasSubstr("it may be")) << wrong;
  }
}

TEST(Number, TakesFractionsAndSaysItsBoundsInWords) {
  const auto validator = number(0.1, 60'000.0);
  EXPECT_EQ(validator.get_description(), "0.1 to 60,000");
  EXPECT_EQ(validated(validator, "2.5"), "2.5");
  EXPECT_EQ(validated(validator, "1e3"), "1000");
  for (const char* const wrong : {"", "x", "nan", "inf", "1,5", "0x1p3"}) {
    EXPECT_THAT(validated(validator, wrong), HasSubstr("is not a number")) << wrong;
  }
  EXPECT_THAT(validated(validator, "0.01"), HasSubstr("out of range"));
  EXPECT_EQ(number(0.0, std::nullopt).get_description(), "0 or more");
  EXPECT_EQ(validated(number(0.0, std::nullopt), "1e29"), "1e+29");
}

TEST(Number, MayHaveToBeAboveItsBound) {
  const auto share = number_above(0.0, 1.0);
  EXPECT_EQ(share.get_description(), "above 0, up to 1");
  EXPECT_EQ(validated(share, "1"), "1");
  EXPECT_EQ(validated(share, "1e-9"), "1e-09");
  EXPECT_THAT(validated(share, "0"), HasSubstr("out of range"));
}

TEST(OneOf, TakesAnyCaseAndSuggests) {
  const auto depth = one_of({"minimal", "module", "deep"});
  EXPECT_EQ(depth.get_description(), "minimal, module or deep");
  EXPECT_EQ(validated(depth, "Deep"), "deep");
  EXPECT_THAT(validated(depth, "depe"),
              AllOf(HasSubstr("did you mean deep?"), HasSubstr("minimal, module or deep")));
  EXPECT_EQ(validated(depth, "abyss"),
            "(there is no \"abyss\"; it may be minimal, module or deep)");
  EXPECT_THAT(validated(depth, ""), HasSubstr("there is no \"\""));
}

TEST(NotEmpty, RefusesNothing) {
  EXPECT_EQ(validated(not_empty(), "x"), "x");
  EXPECT_THAT(validated(not_empty(), ""), HasSubstr("empty"));
}

}  // namespace
}  // namespace enprof
