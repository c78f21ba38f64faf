#include "server/power_timeline_json.hpp"

#include "report/json_figures.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace enprof {

PowerTimelineJson::PowerTimelineJson(std::string run_id, PowerTimeline timeline)
    : run_id_(std::move(run_id)), timeline_(std::move(timeline)) {}

Result<bool> PowerTimelineJson::next(std::string& text) {
  const auto& domains = timeline_.domains;
  const std::size_t begin = text.size();
  if (series_ == 0 && point_ == 0) {
    text +=
        fmt::format(R"({{"run_id":{},"point_columns":["begin_ms","end_ms","power_mw"],"domains":[)",
                    on_one_line(run_id_));
  }
  while (series_ <= domains.size()) {
    const bool is_total = series_ == domains.size();
    const std::vector<PowerPoint>& points = is_total ? timeline_.total : domains[series_].points;
    if (point_ == 0) {
      text += is_total ? R"(],"total":[)" : series_ == 0 ? "{" : ",{";
      if (!is_total) {
        const PowerSeries& domain = domains[series_];
        text += fmt::format(R"("name":{},"kind":"{}","is_root":{},"points":[)",
                            on_one_line(domain.domain), to_string(domain.kind), domain.is_root);
      }
    }
    for (; point_ < points.size(); ++point_) {
      if (text.size() - begin >= kPiece) {
        return true;
      }
      const PowerPoint& point = points[point_];
      text += point_ == 0 ? "" : ",";
      text += on_one_line({to_ms(point.begin), to_ms(point.end), to_mw(point.power)});
    }
    text += is_total ? "]}\n" : "]}";
    ++series_;
    point_ = 0;
  }
  return false;
}

}  // namespace enprof
