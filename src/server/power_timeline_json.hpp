// Power over time for a chart.
#pragma once

#include "enprof/store/run_query.hpp"

#include "base/text_stream.hpp"

#include <cstddef>
#include <string>

namespace enprof {

/// {run_id, point_columns[], domains[{name, kind, is_root, points[]}], total[]}, on one line; a
/// point is an array. Made piece by piece: a long run has millions of points.
class PowerTimelineJson final : public TextStream {
 public:
  PowerTimelineJson(std::string run_id, PowerTimeline timeline);

  [[nodiscard]] Result<bool> next(std::string& text) override;

 private:
  std::string run_id_;
  PowerTimeline timeline_;
  std::size_t series_ = 0;  // the total comes after the domains
  std::size_t point_ = 0;
};

}  // namespace enprof
