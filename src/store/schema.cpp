#include "store/schema.hpp"

#include "enprof/store/profile_database.hpp"

#include "base/log.hpp"
#include "base/shell_quote.hpp"

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

constexpr std::array<std::string_view, 27> kTables{"runs",
                                                   "tags",
                                                   "warnings",
                                                   "verdict_reasons",
                                                   "run_steps",
                                                   "pipeline_phases",
                                                   "pipeline_sections",
                                                   "tokens",
                                                   "power_sources",
                                                   "power_domains",
                                                   "peak_powers",
                                                   "power_samples",
                                                   "sensor_readings",
                                                   "names",
                                                   "layer_metrics",
                                                   "component_metrics",
                                                   "operation_classes",
                                                   "operation_kinds",
                                                   "operation_passes",
                                                   "operation_metrics",
                                                   "activation_metrics",
                                                   "attention_metrics",
                                                   "moe_routings",
                                                   "moe_expert_activations",
                                                   "sampled_values",
                                                   "capture_parts",
                                                   "capture_occupancy"};

int integer(SQLite::Database& database, const char* query) {
  return database.execAndGet(query).getInt();
}

/// The names of the tables, without SQLite's own.
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

/// A file at the newest version has all its tables, unless another program dropped one.
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
      fmt::format("Save what is left into a new file (enprof db check --db {0} --salvage "
                  "{0}.salvaged), and name that one with --db.",
                  file));
}

}  // namespace

std::span<const std::string_view> schema_tables() { return kTables; }

Result<void> check_owner(SQLite::Database& database, const std::filesystem::path& path) {
  // One snapshot: another program may be creating the tables right now.
  const SQLite::Transaction snapshot(database);
  const int owner = integer(database, "PRAGMA application_id");
  if (owner == kApplicationId) {
    return {};
  }
  const std::vector<std::string> tables = tables_of(database);
  if (owner == 0 && schema_version(database) == 0 && tables.empty()) {
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
              "Name another file with --db PATH. This file was not changed.");
}

int schema_version(SQLite::Database& database) { return integer(database, "PRAGMA user_version"); }

Result<void> check_newest(SQLite::Database& database, const std::filesystem::path& path,
                          int newest) {
  if (const int version = schema_version(database); version > newest) {
    return fail(ErrorCode::unsupported,
                fmt::format("The database {} has schema version {}; this program knows versions up "
                            "to {}",
                            path.string(), version, newest),
                "A newer enprof wrote it: update this one, or name another file with --db PATH.");
  }
  return check_tables(database, path);
}

Result<void> bring_up_to_date(SQLite::Database& database, const std::filesystem::path& path,
                              std::span<const std::string> migrations) {
  const int newest = static_cast<int>(migrations.size());
  for (int version = schema_version(database); version < newest;
       version = schema_version(database)) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    // Another program may have migrated the file while this one waited for the lock.
    if (schema_version(database) != version) {
      continue;
    }
    // A new file gets all its tables or none; an older one goes one version at a time.
    const int next = version == 0 ? newest : version + 1;
    for (int script = version; script < next; ++script) {
      database.exec(migrations[static_cast<std::size_t>(script)]);
    }
    database.exec(
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, next));
    transaction.commit();
    kLog.debug("Migrated {} from schema version {} to {}", path.string(), version, next);
  }
  return check_newest(database, path, newest);
}

}  // namespace enprof
