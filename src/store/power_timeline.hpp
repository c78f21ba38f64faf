// Power over time, without the rest of the run.
#pragma once

#include "enprof/store/run_query.hpp"

#include <SQLiteCpp/Database.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace enprof {

/// See ProfileDatabase::power_timeline. The caller holds a transaction. Throws SQLite::Exception.
[[nodiscard]] std::optional<PowerTimeline> read_power_timeline(SQLite::Database& database,
                                                               std::string_view run_id,
                                                               std::size_t points);

/// The sum of the series, from edge to edge, where all of them have a point.
[[nodiscard]] std::vector<PowerPoint> add_up(std::span<const PowerSeries> series);

}  // namespace enprof
