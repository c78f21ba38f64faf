#include "server/power_timeline_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

std::string whole(PowerTimeline timeline, std::size_t& pieces) {
  PowerTimelineJson json("a\"b", std::move(timeline));
  std::string text;
  for (bool more = true; more;) {
    const std::size_t before = text.size();
    more = json.next(text).value();
    EXPECT_LT(text.size() - before, 2 * TextStream::kPiece);
    ++pieces;
  }
  return text;
}

TEST(PowerTimelineJson, HoldsEachSeriesAndTheirTotal) {
  std::size_t pieces = 0;
  const std::string text =
      whole({.domains = {{.domain = "package-0",
                          .kind = DomainKind::package,
                          .is_root = true,
                          .points = {{.begin = 1ms, .end = 3ms, .power = Watts{2.5}},
                                     {.begin = 3ms, .end = 4ms, .power = Watts{1}}}},
                         {.domain = "core-0", .kind = DomainKind::core, .points = {}}},
             .total = {{.begin = 1ms, .end = 3ms, .power = Watts{2.5}}}},
            pieces);
  EXPECT_EQ(pieces, 1U);
  EXPECT_EQ(Json::parse(text), Json::parse(R"({
    "run_id": "a\"b", "point_columns": ["begin_ms", "end_ms", "power_mw"],
    "domains": [
      {"name": "package-0", "kind": "package", "is_root": true,
       "points": [[1.0, 3.0, 2500.0], [3.0, 4.0, 1000.0]]},
      {"name": "core-0", "kind": "core", "is_root": false, "points": []}],
    "total": [[1.0, 3.0, 2500.0]]})"));
  EXPECT_TRUE(text.ends_with("\n"));
  std::size_t bare_pieces = 0;
  EXPECT_EQ(Json::parse(whole({}, bare_pieces))["total"], Json::array());
}

TEST(PowerTimelineJson, IsMadePieceByPiece) {
  PowerTimeline timeline{.domains = {{.domain = "package-0", .points = {}}}, .total = {}};
  for (int index = 0; index < 20'000; ++index) {
    timeline.domains[0].points.push_back(
        {.begin = index * 1ms, .end = (index + 1) * 1ms, .power = Watts{index / 7.0}});
  }
  timeline.total = timeline.domains[0].points;
  std::size_t pieces = 0;
  const Json json = Json::parse(whole(timeline, pieces));
  EXPECT_GT(pieces, 10U);
  EXPECT_EQ(json["total"].size(), 20'000U);
  EXPECT_EQ(json["total"], json["domains"][0]["points"]);
  EXPECT_EQ(json["total"][7], Json::parse("[7.0, 8.0, 1000.0]"));
}

}  // namespace
}  // namespace enprof
