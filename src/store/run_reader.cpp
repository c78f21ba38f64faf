#include "store/run_reader.hpp"

#include "store/column_visitors.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <vector>

namespace enprof {
namespace {

template <class Row>
void read_list(SQLite::Database& database, std::int64_t run_key, std::vector<Row>& rows,
               std::string_view table, std::string_view place, const auto& columns) {
  SQLite::Statement select(database,
                           fmt::format("SELECT {} FROM {} WHERE run_key = ? ORDER BY {}",
                                       ColumnNames::of<Row>(columns).text(), table, place));
  select.bind(1, run_key);
  rows = read_rows<Row>(select, columns);
}

/// Indices that point nowhere would be followed by whoever shows the run: foreign keys forbid them,
/// but not to a program that edits the file with foreign keys off.
void check_domains(const PowerFigures& power) {
  const std::size_t count = power.domains.size();
  const bool good =
      std::ranges::all_of(power.domains,
                          [&](const DomainFigure& figure) {
                            return !figure.domain.parent || *figure.domain.parent < count;
                          }) &&
      std::ranges::all_of(power.samples,
                          [&](const PowerSample& sample) { return sample.domain < count; }) &&
      (!power.peak || power.peak->by_domain.size() <= count);
  if (!good) {
    throw SQLite::Exception("a row names a power domain that is not there", SQLITE_CORRUPT);
  }
}

}  // namespace

std::optional<ProfiledRun> read_run(SQLite::Database& database, std::string_view run_id) {
  SQLite::Statement key(database, "SELECT run_key FROM runs WHERE run_id = ?");
  key.bind(1, std::string{run_id});
  if (!key.executeStep()) {
    return std::nullopt;
  }
  const std::int64_t run_key = key.getColumn(0).getInt64();

  std::vector<ProfiledRun> runs;
  read_list(database, run_key, runs, "runs", "run_key", kRunColumns);
  ProfiledRun run = std::move(runs.at(0));
  PowerFigures& power = run.power;
  read_list(database, run_key, run.tags, "tags", "position", kTagColumns);
  read_list(database, run_key, run.phases, "pipeline_phases", "position", kPhaseColumns);
  read_list(database, run_key, run.sections, "pipeline_sections", "position", kSectionColumns);
  read_list(database, run_key, run.tokens, "tokens", "position", kTokenColumns);
  read_list(database, run_key, power.sources, "power_sources", "position", kSourceColumns);
  read_list(database, run_key, power.domains, "power_domains", "domain", kDomainColumns);
  if (power.peak) {
    read_list(database, run_key, power.peak->by_domain, "peak_powers", "domain", kPeakPowerColumns);
  }
  read_list(database, run_key, power.samples, "power_samples", "position", kSampleColumns);
  read_list(database, run_key, run.warnings, "warnings", "position", kWarningColumns);
  check_domains(power);
  return run;
}

}  // namespace enprof
