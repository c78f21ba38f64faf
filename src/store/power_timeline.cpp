#include "store/power_timeline.hpp"

#include "store/column_visitors.hpp"
#include "store/downsample.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

namespace enprof {
namespace {

std::vector<PowerSeries> read_series(SQLite::Database& database, std::int64_t run_key) {
  std::vector<PowerSeries> series;
  SQLite::Statement domains(database,
                            "SELECT name, kind, parent IS NULL FROM power_domains "
                            "WHERE run_key = ? ORDER BY domain");
  domains.bind(1, run_key);
  while (domains.executeStep()) {
    PowerSeries& domain = series.emplace_back();
    ColumnReader column(domains);
    column("name", domain.domain);
    column("kind", domain.kind);
    domain.is_root = domains.getColumn(2).getInt() != 0;
  }
  SQLite::Statement samples(database,
                            "SELECT domain, begin_ns, duration_ns, energy_j FROM power_samples "
                            "WHERE run_key = ? AND duration_ns > 0 ORDER BY position");
  samples.bind(1, run_key);
  while (samples.executeStep()) {
    PowerSample sample;
    ColumnReader column(samples);
    kSampleColumns(column, sample);
    if (sample.domain >= series.size()) {
      throw SQLite::Exception("a row refers to a power domain that does not exist", SQLITE_CORRUPT);
    }
    series[sample.domain].points.push_back({.begin = sample.begin,
                                            .end = sample.end,
                                            .power = sample.energy / (sample.end - sample.begin)});
  }
  for (PowerSeries& domain : series) {
    std::ranges::stable_sort(domain.points, {}, &PowerPoint::begin);
  }
  return series;
}

}  // namespace

std::vector<PowerPoint> add_up(std::span<const PowerSeries> series) {
  std::vector<Nanoseconds> edges;
  for (const PowerSeries& one : series) {
    for (const PowerPoint& point : one.points) {
      edges.push_back(point.begin);
      edges.push_back(point.end);
    }
  }
  std::ranges::sort(edges);
  edges.erase(std::ranges::unique(edges).begin(), edges.end());
  std::vector<PowerPoint> sum;
  std::vector<std::size_t> next(series.size(), 0);
  for (std::size_t edge = 0; edge + 1 < edges.size(); ++edge) {
    PowerPoint point{.begin = edges[edge], .end = edges[edge + 1], .power = {}};
    bool whole = true;
    for (std::size_t index = 0; index < series.size(); ++index) {
      const std::vector<PowerPoint>& points = series[index].points;
      std::size_t& here = next[index];
      while (here < points.size() && points[here].end <= point.begin) {
        ++here;
      }
      whole = whole && here < points.size() && points[here].begin <= point.begin;
      if (whole) {
        point.power += points[here].power;
      }
    }
    if (whole) {
      sum.push_back(point);
    }
  }
  return sum;
}

std::optional<PowerTimeline> read_power_timeline(SQLite::Database& database,
                                                 std::string_view run_id, std::size_t points) {
  SQLite::Statement key(database, "SELECT run_key FROM runs WHERE run_id = ?");
  key.bind(1, std::string{run_id});
  if (!key.executeStep()) {
    return std::nullopt;
  }
  PowerTimeline timeline{.domains = read_series(database, key.getColumn(0).getInt64()),
                         .total = {}};
  std::vector<PowerSeries> roots;
  std::ranges::copy_if(timeline.domains, std::back_inserter(roots), &PowerSeries::is_root);
  timeline.total = downsample(add_up(roots), points);
  for (PowerSeries& domain : timeline.domains) {
    domain.points = downsample(std::move(domain.points), points);
  }
  return timeline;
}

}  // namespace enprof
