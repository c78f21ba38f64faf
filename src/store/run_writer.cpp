#include "store/run_writer.hpp"

#include "store/column_visitors.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

constexpr int kKeyColumns = 2;  // run_key and the place in the list

/// "INSERT INTO table (run_key, place, …) VALUES (?, ?, …)"
std::string insertion(std::string_view table, std::string_view keys, int key_count,
                      const ColumnNames& names) {
  std::string marks = "?";
  for (int more = key_count + names.count() - 1; more > 0; --more) {
    marks += ", ?";
  }
  return fmt::format("INSERT INTO {} ({}{}) VALUES ({})", table, keys, names.text(), marks);
}

/// Writes a list of rows, each with its place, which `place` names.
template <class Row>
void write_rows(SQLite::Database& database, std::int64_t run_key, const std::vector<Row>& rows,
                std::string_view table, std::string_view place, const auto& columns) {
  if (rows.empty()) {
    return;
  }
  SQLite::Statement insert(database, insertion(table, fmt::format("run_key, {}, ", place),
                                               kKeyColumns, ColumnNames::of<Row>(columns)));
  insert.bind(1, run_key);
  for (std::size_t index = 0; index < rows.size(); ++index) {
    insert.bind(2, static_cast<std::int64_t>(index));
    ColumnBinder binder(insert, kKeyColumns + 1);
    columns(binder, rows[index]);
    insert.exec();
    insert.reset();
  }
}

}  // namespace

Result<void> check_run(const ProfiledRun& run) {
  const std::size_t domains = run.power.domains.size();
  const auto bad = [&](std::string what) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("Run {} cannot be saved: {}", run.run_id, what),
                "This is a fault of the program that made the run.");
  };
  const auto no_domain = [&](std::string who, std::size_t domain) {
    return bad(fmt::format("{} names power domain {}, and it has {}", who, domain, domains));
  };
  if (run.run_id.empty()) {
    return bad("it has no id");
  }
  for (const DomainFigure& figure : run.power.domains) {
    if (figure.domain.parent && *figure.domain.parent >= domains) {
      return no_domain(fmt::format("domain {}", figure.domain.name), *figure.domain.parent);
    }
  }
  if (run.power.peak && run.power.peak->by_domain.size() > domains) {
    return no_domain("the peak", run.power.peak->by_domain.size() - 1);
  }
  for (std::size_t index = 0; index < run.power.samples.size(); ++index) {
    if (const std::size_t domain = run.power.samples[index].domain; domain >= domains) {
      return no_domain(fmt::format("power sample {}", index), domain);
    }
  }
  return {};
}

std::uintmax_t bytes_to_save(const ProfiledRun& run) {
  // Rounded up from files of many runs; docs/schema.md has the sizes.
  constexpr std::uintmax_t kRun = 8192;
  constexpr std::uintmax_t kToken = 152;
  constexpr std::uintmax_t kSample = 36;
  std::uintmax_t bytes = kRun + run.prompt.size() + run.response.size();
  bytes += run.power.samples.size() * kSample;
  for (const TokenFigure& token : run.tokens) {
    bytes += kToken + token.text.size();
  }
  return 2 * bytes;
}

void write_run(SQLite::Database& database, const ProfiledRun& run) {
  SQLite::Statement insert(database,
                           insertion("runs", "", 0, ColumnNames::of<ProfiledRun>(kRunColumns)));
  ColumnBinder binder(insert);
  kRunColumns(binder, run);
  insert.exec();
  const std::int64_t key = database.getLastInsertRowid();

  const PowerFigures& power = run.power;
  write_rows(database, key, run.tags, "tags", "position", kTagColumns);
  write_rows(database, key, run.phases, "pipeline_phases", "position", kPhaseColumns);
  write_rows(database, key, run.sections, "pipeline_sections", "position", kSectionColumns);
  write_rows(database, key, run.tokens, "tokens", "position", kTokenColumns);
  write_rows(database, key, power.sources, "power_sources", "position", kSourceColumns);
  write_rows(database, key, power.domains, "power_domains", "domain", kDomainColumns);
  if (power.peak) {
    write_rows(database, key, power.peak->by_domain, "peak_powers", "domain", kPeakPowerColumns);
  }
  write_rows(database, key, power.samples, "power_samples", "position", kSampleColumns);
  write_rows(database, key, run.warnings, "warnings", "position", kWarningColumns);
}

}  // namespace enprof
