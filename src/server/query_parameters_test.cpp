#include "server/query_parameters.hpp"

#include "server/http_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;

HttpRequest asked(const std::string& query) { return parse_target("/api?" + query); }

TEST(RunFilterOf, TakesEverything) {
  const auto filter = run_filter_of(
      asked("model=m&tag=t&experiment=e&engine=g&text=sky&capture=c&date_from=2026-11-24&"
            "date_to=2026-11-24T16:00:00Z&sort_by=energy&order=asc&limit=7&offset=3"));
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_EQ(filter->model, "m");
  EXPECT_EQ(filter->tag, "t");
  EXPECT_EQ(filter->experiment, "e");
  EXPECT_EQ(filter->engine, "g");
  EXPECT_EQ(filter->prompt_text, "sky");
  EXPECT_EQ(filter->capture, "c");
  EXPECT_EQ(*filter->to - *filter->from, std::chrono::hours{16});
  EXPECT_EQ(filter->order, RunOrder::energy);
  EXPECT_TRUE(filter->ascending);
  EXPECT_EQ(filter->limit, 7U);
  EXPECT_EQ(filter->offset, 3U);
  EXPECT_EQ(run_filter_of(asked("tags=t&inference_engine=g"))->tag, "t");
  EXPECT_EQ(run_filter_of(asked(""))->limit, 50U);
}

TEST(RunFilterOf, AnEmptyFilterIsRefusedByName) {
  for (const char* name :
       {"model", "tag", "tags", "experiment", "engine", "inference_engine", "text", "capture"}) {
    const auto filter = run_filter_of(asked(std::string(name) + "="));
    ASSERT_FALSE(filter) << name;
    EXPECT_EQ(filter.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(filter.error().message, "The parameter '" + std::string(name) + "' is empty");
    EXPECT_THAT(filter.error().hint, HasSubstr("Leave it out"));
  }
  EXPECT_THAT(run_filter_of(asked("tag=a&tags=")).error().message, HasSubstr("are the same"));
}

TEST(RunFilterOf, AnEmptyDateRangeIsRefused) {
  for (const char* query :
       {"date_from=2026-11-25&date_to=2026-11-24", "date_from=2026-11-24&date_to=2026-11-24"}) {
    const auto filter = run_filter_of(asked(query));
    ASSERT_FALSE(filter) << query;
    EXPECT_EQ(filter.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(filter.error().message, HasSubstr("is not before date_to=2026-11-24"));
    EXPECT_THAT(filter.error().hint, HasSubstr("date_to=2026-11-25"));
  }
}

TEST(PassesOf, TakesThePromptAndTokens) {
  const auto all = passes_of(asked(""));
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->has(Phase::prefill, -1));
  EXPECT_TRUE(all->has(Phase::decode, 1'000'000));
  const auto prompt = passes_of(asked("to=-1"));
  ASSERT_TRUE(prompt);
  EXPECT_TRUE(prompt->has(Phase::prefill, -1));
  EXPECT_FALSE(prompt->has(Phase::prefill, 0));
  EXPECT_EQ(passes_of(asked("phase=decode"))->phase, Phase::decode);
}

TEST(PassesOf, RefusesAnEmptyRange) {
  for (const char* query : {"from=5&to=2", "from=0&to=-1"}) {
    const auto passes = passes_of(asked(query));
    ASSERT_FALSE(passes) << query;
    EXPECT_EQ(passes.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(passes.error().message, HasSubstr("no token is in between"));
    EXPECT_THAT(passes.error().hint, HasSubstr("The prompt is token -1"));
  }
  EXPECT_FALSE(passes_of(asked("to=-2")));
  EXPECT_FALSE(passes_of(asked("from=-2")));
}

}  // namespace
}  // namespace enprof
