#include "store/schema.hpp"

#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "store/shell_quote.hpp"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

constexpr Logger kLog{"store"};

/// The columns of a Figure, in each table that has one. `_j`, `_w` and `_ns` columns hold what the
/// program holds, bit for bit; `_mj`, `_mw` and `_ms` are computed from them when they are read.
constexpr std::string_view kFigureV1 = R"sql(
  duration_ns INTEGER NOT NULL,
  duration_ms REAL AS (duration_ns / 1e6),
  energy_j REAL,
  energy_mj REAL AS (energy_j * 1e3),
  baseline_energy_j REAL,
  baseline_energy_mj REAL AS (baseline_energy_j * 1e3),
  dynamic_energy_j REAL,
  dynamic_energy_mj REAL AS (dynamic_energy_j * 1e3),
  mean_power_w REAL,
  mean_power_mw REAL AS (mean_power_w * 1e3),
  sensor TEXT,
  method TEXT,
  coverage REAL NOT NULL,
  resolution REAL,
  standard_error_j REAL,
  standard_error_mj REAL AS (standard_error_j * 1e3),
  foreign_cpu_share REAL,)sql";

/// Long text stands last in a row, so that reading what is before it need not pass over it.
constexpr std::string_view kRunsV1 = R"sql(
CREATE TABLE runs (
  run_key INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  started_at TEXT AS (strftime('%Y-%m-%dT%H:%M:%fZ', started_at_ms / 1000.0, 'unixepoch')),
  depth TEXT NOT NULL,
  experiment TEXT,
  finish_reason TEXT,
  model_name TEXT,
  model_path TEXT,
  architecture TEXT,
  quantization TEXT,
  engine TEXT,
  parameters INTEGER,
  file_bytes INTEGER,
  weight_bytes INTEGER,
  layers INTEGER,
  embedding_width INTEGER,
  feed_forward_width INTEGER,
  heads INTEGER,
  kv_heads INTEGER,
  head_width INTEGER,
  experts INTEGER,
  experts_used INTEGER,
  vocabulary INTEGER,
  context_trained INTEGER,
  context INTEGER,
  kv_cache_bytes INTEGER,
  kv_cache_used_bytes INTEGER,
  gpu_layers INTEGER,
  threads INTEGER,
  load_ns INTEGER,
  load_ms REAL AS (load_ns / 1e6),
{figure}
  prompt_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  time_to_first_token_ns INTEGER,
  time_to_first_token_ms REAL AS (time_to_first_token_ns / 1e6),
  prefill_tokens_per_second REAL,
  decode_tokens_per_second REAL,
  energy_per_input_token_j REAL,
  energy_per_input_token_mj REAL AS (energy_per_input_token_j * 1e3),
  energy_per_output_token_j REAL,
  energy_per_output_token_mj REAL AS (energy_per_output_token_j * 1e3),
  output_to_input_energy_ratio REAL,
  tokens_per_joule REAL,
  edp_js REAL,
  edp_per_token_js REAL,
  price_usd_per_kwh REAL NOT NULL,
  carbon_g_per_kwh REAL NOT NULL,
  cost_usd REAL,
  co2_g REAL,
  power_interval_ns INTEGER NOT NULL,
  power_interval_ms REAL AS (power_interval_ns / 1e6),
  baseline_power_w REAL,
  baseline_power_mw REAL AS (baseline_power_w * 1e3),
  baseline_power_spread_w REAL,
  baseline_power_spread_mw REAL AS (baseline_power_spread_w * 1e3),
  baseline_duration_ns INTEGER,
  baseline_duration_ms REAL AS (baseline_duration_ns / 1e6),
  baseline_windows INTEGER,
  peak_power_w REAL,
  peak_power_mw REAL AS (peak_power_w * 1e3),
  peak_at_ns INTEGER,
  peak_at_ms REAL AS (peak_at_ns / 1e6),
  peak_window_ns INTEGER,
  peak_window_ms REAL AS (peak_window_ns / 1e6),
  prompt TEXT NOT NULL,
  response TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at_ms);
CREATE INDEX runs_by_model ON runs (model_name, started_at_ms);
CREATE INDEX runs_by_experiment ON runs (experiment, started_at_ms);

CREATE TABLE tags (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_tag ON tags (tag);

CREATE TABLE warnings (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  component TEXT NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  hint TEXT,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kLevelsV1 = R"sql(
CREATE TABLE pipeline_phases (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipeline_sections (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  phase TEXT NOT NULL,
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  token_index INTEGER NOT NULL,
  text TEXT NOT NULL,
  phase TEXT NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
{figure}
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kPowerV1 = R"sql(
CREATE TABLE power_sources (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  description TEXT NOT NULL,
  PRIMARY KEY (run_key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE power_domains (
  run_key INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  domain INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  socket INTEGER,
  parent INTEGER,
  source TEXT,
  source_method TEXT NOT NULL,
  period_ns INTEGER NOT NULL,
  period_ms REAL AS (period_ns / 1e6),
  stamp_error_ns INTEGER NOT NULL,
  stamp_error_ms REAL AS (stamp_error_ns / 1e6),
{figure}
  idle_power_w REAL,
  idle_power_mw REAL AS (idle_power_w * 1e3),
  idle_power_spread_w REAL,
  idle_power_spread_mw REAL AS (idle_power_spread_w * 1e3),
  PRIMARY KEY (run_key, domain),
  -- A domain may stand before the one that contains it.
  FOREIGN KEY (run_key, parent) REFERENCES power_domains ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE peak_powers (
  run_key INTEGER NOT NULL,
  domain INTEGER NOT NULL,
  power_w REAL,
  power_mw REAL AS (power_w * 1e3),
  PRIMARY KEY (run_key, domain),
  FOREIGN KEY (run_key, domain) REFERENCES power_domains ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE power_samples (
  run_key INTEGER NOT NULL,
  position INTEGER NOT NULL,
  domain INTEGER NOT NULL,
  begin_ns INTEGER NOT NULL,
  begin_ms REAL AS (begin_ns / 1e6),
  duration_ns INTEGER NOT NULL,
  duration_ms REAL AS (duration_ns / 1e6),
  energy_j REAL NOT NULL,
  energy_mj REAL AS (energy_j * 1e3),
  power_mw REAL AS (energy_j * 1e12 / duration_ns),
  PRIMARY KEY (run_key, position),
  FOREIGN KEY (run_key, domain) REFERENCES power_domains ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array<std::string_view, 10> kTables{
    "runs",   "tags",          "warnings",      "pipeline_phases", "pipeline_sections",
    "tokens", "power_sources", "power_domains", "peak_powers",     "power_samples"};

int integer(SQLite::Database& database, const char* query) {
  return database.execAndGet(query).getInt();
}

int version_of(SQLite::Database& database) { return integer(database, "PRAGMA user_version"); }

/// Names of the tables, without SQLite's own.
std::vector<std::string> tables_of(SQLite::Database& database) {
  std::vector<std::string> names;
  SQLite::Statement tables(database,
                           "SELECT name FROM sqlite_schema WHERE type = 'table' "
                           "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name");
  while (tables.executeStep()) {
    names.push_back(tables.getColumn(0).getString());
  }
  return names;
}

/// A file at the newest version has all its tables, unless somebody took one away.
Result<void> check_tables(SQLite::Database& database, const std::filesystem::path& path) {
  const std::vector<std::string> tables = tables_of(database);
  std::string missing;
  for (const std::string_view table : kTables) {
    if (std::ranges::find(tables, table) == tables.end()) {
      missing += fmt::format("{}{}", missing.empty() ? "" : ", ", table);
    }
  }
  if (missing.empty()) {
    return {};
  }
  const std::string file = shell_quote(path.string());
  return fail(
      ErrorCode::corrupt,
      fmt::format("The database {} lacks tables that it should have: {}", path.string(), missing),
      fmt::format("Move it away and start a new one: mv {} {}.damaged", file, file));
}

}  // namespace

std::span<const std::string> schema_migrations() {
  static const std::array<std::string, 1> scripts{
      fmt::format(fmt::runtime(fmt::format("{}{}{}", kRunsV1, kLevelsV1, kPowerV1)),
                  fmt::arg("figure", kFigureV1.substr(1)))};
  static_assert(std::tuple_size_v<decltype(scripts)> == ProfileDatabase::kSchemaVersion);
  return scripts;
}

Result<void> check_owner(SQLite::Database& database, const std::filesystem::path& path) {
  // One snapshot: another program may be creating the tables right now.
  const SQLite::Transaction snapshot(database);
  const int owner = integer(database, "PRAGMA application_id");
  if (owner == kApplicationId) {
    return {};
  }
  const std::vector<std::string> tables = tables_of(database);
  if (owner == 0 && version_of(database) == 0 && tables.empty()) {
    return {};
  }
  constexpr std::size_t kNamed = 5;
  std::string named;
  for (std::size_t index = 0; index < std::min(tables.size(), kNamed); ++index) {
    named += (index == 0 ? "" : ", ") + tables[index];
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("{} is a database of another program ({})", path.string(),
                          tables.empty() ? fmt::format("application id {:#x}", owner)
                                         : fmt::format("its tables: {}{}", named,
                                                       tables.size() > kNamed ? ", …" : "")),
              "Name another file with --db PATH. This one was left as it is.");
}

Result<void> bring_up_to_date(SQLite::Database& database, const std::filesystem::path& path,
                              std::span<const std::string> migrations) {
  const int newest = static_cast<int>(migrations.size());
  for (int version = version_of(database); version < newest; version = version_of(database)) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    // Another program may have been here while this one waited for the lock.
    if (version_of(database) != version) {
      continue;
    }
    database.exec(migrations[static_cast<std::size_t>(version)]);
    database.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                              kApplicationId, version + 1));
    transaction.commit();
    kLog.debug("Brought {} from schema version {} to {}", path.string(), version, version + 1);
  }
  if (const int version = version_of(database); version > newest) {
    return fail(ErrorCode::unsupported,
                fmt::format("The database {} has schema version {}; this program knows versions up "
                            "to {}",
                            path.string(), version, newest),
                "A newer enprof wrote it: update this one, or name another file with --db PATH.");
  }
  return check_tables(database, path);
}

}  // namespace enprof
