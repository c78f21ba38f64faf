#include "store/housekeeping.hpp"

#include "base/shell_quote.hpp"
#include "store/database_file.hpp"
#include "store/run_index.hpp"
#include "store/run_journal.hpp"
#include "store/schema.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>

namespace enprof {
namespace {

namespace fs = std::filesystem;

fs::path beside(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

std::uintmax_t number(SQLite::Database& database, const std::string& query) {
  return static_cast<std::uintmax_t>(database.execAndGet(query).getInt64());
}

/// A column that holds the number of a name, an operation or the like. No foreign key guards it,
/// since deleting a run would then scan all rows for each name.
struct Reference {
  std::string_view rows;  ///< as `r`, with run_key
  std::string_view column;
  std::string_view table;
  std::string_view key;
};
constexpr std::array kReferences{
    Reference{"component_metrics", "component", "names", "name_key"},
    Reference{"operation_classes", "component", "names", "name_key"},
    Reference{"operation_classes", "op", "names", "name_key"},
    Reference{"operation_kinds", "component", "names", "name_key"},
    Reference{"operation_kinds", "op", "names", "name_key"},
    Reference{"operation_kinds", "name", "names", "name_key"},
    Reference{"activation_metrics", "component", "names", "name_key"},
    Reference{"activation_metrics", "phase", "names", "name_key"},
    Reference{"attention_metrics", "phase", "names", "name_key"},
    Reference{"moe_routings", "phase", "names", "name_key"},
    Reference{"sensor_readings", "quantity", "names", "name_key"},
    Reference{"(SELECT DISTINCT run_key, operation FROM operation_metrics JOIN operation_passes "
              "USING (pass_key))",
              "operation", "operation_kinds", "operation"},
};

}  // namespace

std::uintmax_t file_bytes(const fs::path& path) {
  std::error_code none;
  const std::uintmax_t bytes = fs::file_size(path, none);
  return none ? 0 : bytes;
}

DatabaseStats count_all(SQLite::Database& database, const fs::path& path) {
  DatabaseStats stats{.path = path,
                      .schema_version = static_cast<int>(number(database, "PRAGMA user_version")),
                      .file_bytes = file_bytes(path),
                      .log_bytes = file_bytes(beside(path, "-wal")),
                      .free_bytes = number(database, "PRAGMA freelist_count") *
                                    number(database, "PRAGMA page_size"),
                      .runs = number(database, "SELECT count(*) FROM runs"),
                      .journals = list_journals(path).size()};
  SQLite::Statement statuses(database,
                             "SELECT status, count(*) FROM runs GROUP BY status ORDER BY status");
  while (statuses.executeStep()) {
    stats.runs_by_status.emplace_back(statuses.getColumn(0).getString(),
                                      static_cast<std::size_t>(statuses.getColumn(1).getInt64()));
  }
  for (const std::string_view table : schema_tables()) {
    stats.rows.emplace_back(table, number(database, fmt::format("SELECT count(*) FROM {}", table)));
  }
  SQLite::Statement span(database, "SELECT min(started_at_ms), max(started_at_ms) FROM runs");
  if (span.executeStep() && !span.isColumnNull(0)) {
    stats.oldest = WallTime{std::chrono::milliseconds{span.getColumn(0).getInt64()}};
    stats.newest = WallTime{std::chrono::milliseconds{span.getColumn(1).getInt64()}};
  }
  return stats;
}

CheckReport check_all(SQLite::Database& database) {
  CheckReport report;
  const auto add = [&](std::string problem) {
    if (report.problems.size() < CheckReport::kMostProblems) {
      report.problems.push_back(std::move(problem));
    }
  };
  try {
    SQLite::Statement integrity(
        database, fmt::format("PRAGMA integrity_check({})", CheckReport::kMostProblems));
    while (integrity.executeStep()) {
      if (const std::string line = integrity.getColumn(0).getString(); line != "ok") {
        add(line);
      }
    }
  } catch (const SQLite::Exception& exception) {
    if (exception.getErrorCode() != SQLITE_CORRUPT) {
      throw;
    }
    add(exception.what());  // damage that stops even the check
  }
  if (!report.good()) {
    return report;  // the same damage would stop the checks below
  }
  SQLite::Statement orphans(database,
                            "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check "
                            "GROUP BY 1, 2");
  while (orphans.executeStep()) {
    add(fmt::format("rows of {} that refer to missing rows of {}: {}",
                    orphans.getColumn(0).getString(), orphans.getColumn(1).getString(),
                    orphans.getColumn(2).getInt64()));
  }
  for (const Reference& reference : kReferences) {
    const std::uintmax_t lost = number(
        database, fmt::format("SELECT count(*) FROM {0} r WHERE NOT EXISTS (SELECT 1 FROM {2} t "
                              "WHERE t.run_key = r.run_key AND t.{3} = r.{1})",
                              reference.rows, reference.column, reference.table, reference.key));
    if (lost > 0) {
      add(fmt::format("values of {} that refer to missing rows of {}: {}", reference.column,
                      reference.table, lost));
    }
  }
  return report;
}

std::vector<RunSummary> find_old_runs(SQLite::Database& database, const PruneRule& rule,
                                      WallTime now) {
  if (!rule.max_age && !rule.max_runs) {
    return {};
  }
  SQLite::Statement select(
      database,
      "SELECT run_key FROM (SELECT run_key, started_at_ms, "
      "row_number() OVER (ORDER BY started_at_ms DESC, run_key DESC) AS place FROM runs "
      "WHERE status <> 'running' AND capture_id IS NULL) WHERE started_at_ms < ?1 OR place > ?2 "
      "ORDER BY started_at_ms, run_key");
  if (rule.max_age) {
    select.bind(1, static_cast<std::int64_t>((now - *rule.max_age).time_since_epoch().count()));
  }
  if (rule.max_runs) {
    select.bind(2, static_cast<std::int64_t>(*rule.max_runs));
  }
  std::vector<std::int64_t> keys;
  while (select.executeStep()) {
    keys.push_back(select.getColumn(0).getInt64());
  }
  return read_summaries(database, keys);
}

Result<void> back_up(SQLite::Database& database, const fs::path& target) {
  auto place = DatabasePlace::prepare(target);
  if (!place) {
    return std::unexpected(std::move(place.error()));
  }
  if (fs::exists(place->absolute())) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} exists: a copy would overwrite it", target.string()),
                "Name a file that does not exist yet.");
  }
  std::error_code unknown;
  StoreAction copying{.path = target,
                      .what = "copy the database",
                      .bytes_needed = file_bytes(database.getFilename()),
                      .bytes_free = std::nullopt};
  if (const auto space = fs::space(directory_of(place->absolute()), unknown); !unknown) {
    copying.bytes_free = space.available;
  }
  // Under another name until it is complete.
  const fs::path partial = beside(place->absolute(), ".partial");
  auto copied = guarded(copying, [&]() -> Result<void> {
    fs::remove(partial, unknown);
    SQLite::Database copy(partial.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    // All pages in one step, from one snapshot. With a write-ahead log this blocks no other
    // program, and a copy in several steps would restart after each write of another program.
    SQLite::Backup backup(copy, database);
    if (const int code = backup.executeStep(-1); code != SQLITE_DONE) {
      throw SQLite::Exception(sqlite3_errstr(code), code);
    }
    return {};
  });
  if (copied && std::rename(partial.c_str(), place->absolute().c_str()) != 0) {
    copied = fail(error_code_from_errno(errno),
                  fmt::format("Cannot rename the copy {} to {}", partial.string(), target.string()),
                  fmt::format("Do it yourself: mv {} {}", shell_quote(partial.string()),
                              shell_quote(target.string())));
  } else if (!copied) {
    for (const char* const suffix : {"", "-wal", "-shm", "-journal"}) {
      fs::remove(beside(partial, suffix), unknown);
    }
  }
  if (copied) {
    place->keep();
  }
  return copied;
}

}  // namespace enprof
