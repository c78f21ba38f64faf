#include "model/moment.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

long long ms(std::string_view text, DayPart part = DayPart::begin) {
  const auto moment = parse_moment(text, part);
  return moment ? moment->time_since_epoch().count() : -1;
}

TEST(Moment, DaysAndTimesAreUtc) {
  EXPECT_EQ(ms("1970-01-02"), 86'400'000);
  EXPECT_EQ(ms("1970-01-02", DayPart::end), 2 * 86'400'000);
  EXPECT_EQ(ms("1970-01-01T00:01"), 60'000);
  EXPECT_EQ(ms("1970-01-01 00:01:02"), 62'000);
  EXPECT_EQ(ms("1970-01-01T00:01:02Z", DayPart::end), 62'000) << "a time is not a day";
  EXPECT_EQ(ms("2026-09-21T14:13:20"), 1'790'000'000'000);
}

TEST(Moment, AnythingElseIsAnErrorThatSaysHow) {
  for (const char* const text : {"", "yesterday", "2026", "2026-09", "2026-13-01", "2026-02-30",
                                 "2026-09-21T25:00", "2026-09-21T14", "2026-9-21", "2026-09-21x",
                                 "2026-09-21 14:13:20:00", "+026-09-21", "2026-09-21 14:60"}) {
    const auto moment = parse_moment(text, DayPart::begin);
    ASSERT_FALSE(moment) << text;
    EXPECT_EQ(moment.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(moment.error().hint.find("2026-09-21"), std::string::npos);
  }
}

}  // namespace
}  // namespace enprof
