#include "store/salvage.hpp"

#include "base/shell_quote.hpp"
#include "store/connection.hpp"
#include "store/log_owner.hpp"
#include "store/schema.hpp"
#include "store/sqlite_error.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace enprof {
namespace {

namespace fs = std::filesystem;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
/// SQLite's own statement, which passes on values of any type unchanged.
using RawStatement = std::unique_ptr<sqlite3_stmt, Finalize>;

RawStatement prepare(SQLite::Database& database, const std::string& query) {
  sqlite3_stmt* statement = nullptr;
  if (const int code =
          sqlite3_prepare_v2(database.getHandle(), query.c_str(), -1, &statement, nullptr);
      code != SQLITE_OK) {
    throw SQLite::Exception(database.getHandle(), code);
  }
  return RawStatement{statement};
}

/// Copies rows from one file to another, skipping what cannot be read: forwards as far as possible,
/// then backwards. It does so for each run (or pass) separately, so that damage costs only rows
/// near it.
class Salvager {
 public:
  Salvager(SQLite::Database& source, SQLite::Database& target) : source_(source), target_(target) {}

  SalvageReport salvage() {
    copy("runs", {});
    const std::vector<std::int64_t> runs = keys("SELECT run_key FROM runs");
    // First the tables that other rows refer to.
    constexpr std::array<std::string_view, 4> kFirst{"names", "power_domains", "operation_passes",
                                                     "moe_routings"};
    for (const std::string_view table : kFirst) {
      copy(table, {.column = "run_key", .keys = runs});
    }
    const std::vector<std::int64_t> passes = keys("SELECT pass_key FROM operation_passes");
    for (const std::string_view table : schema_tables()) {
      if (table == "operation_metrics") {
        copy(table, {.column = "pass_key", .keys = passes});
      } else if (table != "runs" && std::ranges::find(kFirst, table) == kFirst.end()) {
        copy(table, {.column = "run_key", .keys = runs});
      }
    }
    drop_misleading_rows();
    warn_of_losses();
    return std::move(report_);
  }

 private:
  struct Groups {
    std::string_view column{};  // empty: the whole table
    std::vector<std::int64_t> keys{};
  };
  struct Columns {
    std::string names;  // of the stored columns, comma-separated
    std::string marks;  // one question mark per column
    std::string ascending;
    std::string descending;
    int count = 0;
  };

  Columns columns_of(std::string_view table) {
    Columns columns;
    SQLite::Statement info(target_, "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0");
    info.bind(1, std::string{table});
    std::vector<std::string> key;
    while (info.executeStep()) {
      const std::string name = info.getColumn(0).getString();
      columns.names += (columns.count == 0 ? "" : ", ") + name;
      columns.marks += columns.count++ == 0 ? "?" : ", ?";
      if (info.getColumn(1).getInt() > 0) {
        key.push_back(name);
      }
    }
    columns.ascending = fmt::format("{}", fmt::join(key, ", "));
    columns.descending = fmt::format("{} DESC", fmt::join(key, " DESC, "));
    return columns;
  }

  std::vector<std::int64_t> keys(const char* query) {
    std::vector<std::int64_t> found;
    SQLite::Statement select(target_, query);
    while (select.executeStep()) {
      found.push_back(select.getColumn(0).getInt64());
    }
    return found;
  }

  void copy(std::string_view table, const Groups& groups) {
    const Columns columns = columns_of(table);
    const RawStatement insert =
        prepare(target_, fmt::format("INSERT OR IGNORE INTO {} ({}) VALUES ({})", table,
                                     columns.names, columns.marks));
    std::size_t rows = 0;
    bool whole = true;
    const auto copy_group = [&](std::optional<std::int64_t> key) {
      const auto in_order = [&](const std::string& order) {
        const std::string where =
            key ? fmt::format(" WHERE {} = {}", groups.column, *key) : std::string{};
        return copy_rows(
            fmt::format("SELECT {} FROM {}{} ORDER BY {}", columns.names, table, where, order),
            columns.count, insert.get(), rows);
      };
      if (!in_order(columns.ascending)) {
        static_cast<void>(in_order(columns.descending));
        whole = false;
        if (key) {
          losses_.insert(groups.column == "run_key" ? *key : run_of_pass(*key));
        }
      }
    };
    if (groups.column.empty()) {
      copy_group(std::nullopt);
    }
    for (const std::int64_t key : groups.keys) {
      copy_group(key);
    }
    report_.rows.emplace_back(table, rows);
    if (!whole) {
      report_.damaged.emplace_back(table);
    }
  }

  /// Whether it read all rows.
  bool copy_rows(const std::string& query, int count, sqlite3_stmt* insert, std::size_t& rows) {
    RawStatement select;
    try {
      select = prepare(source_, query);
    } catch (const SQLite::Exception&) {
      return false;  // the table is lost
    }
    int code = sqlite3_step(select.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(select.get())) {
      for (int index = 0; index < count; ++index) {
        sqlite3_bind_value(insert, index + 1, sqlite3_column_value(select.get(), index));
      }
      const int inserted = sqlite3_step(insert);
      sqlite3_reset(insert);
      if (inserted == SQLITE_DONE) {
        rows += static_cast<std::size_t>(sqlite3_changes(target_.getHandle()));
      } else if (inserted == SQLITE_CONSTRAINT) {
        ++report_.orphans;
      } else {
        throw SQLite::Exception(target_.getHandle(), inserted);
      }
    }
    return code == SQLITE_DONE;
  }

  std::int64_t run_of_pass(std::int64_t pass) {
    SQLite::Statement select(target_, "SELECT run_key FROM operation_passes WHERE pass_key = ?");
    select.bind(1, pass);
    return select.executeStep() ? select.getColumn(0).getInt64() : 0;
  }

  /// Rows refer to domains, operations and routings by position: if one of these was lost, later
  /// ones would be mistaken for others.
  void drop_misleading_rows() {
    name_lost_words();
    for (const auto& [table, place] :
         {std::pair{"power_domains", "domain"}, std::pair{"operation_kinds", "operation"},
          std::pair{"moe_routings", "position"}}) {
      target_.exec(
          fmt::format("DELETE FROM {0} WHERE run_key IN (SELECT run_key FROM {0} "
                      "GROUP BY run_key HAVING count(*) <> max({1}) + 1)",
                      table, place));
    }
    report_.orphans += static_cast<std::size_t>(target_.exec(
        "DELETE FROM power_domains WHERE parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
        "power_domains p WHERE p.run_key = power_domains.run_key AND "
        "p.domain = power_domains.parent)"));
    report_.orphans += static_cast<std::size_t>(target_.exec(
        "DELETE FROM operation_passes WHERE pass_key IN (SELECT pass_key FROM operation_metrics m "
        "JOIN operation_passes p USING (pass_key) WHERE NOT EXISTS (SELECT 1 FROM operation_kinds "
        "k WHERE k.run_key = p.run_key AND k.operation = m.operation))"));
  }

  /// A lost name becomes "(lost)". A row without its phase or quantity is dropped: it says nothing.
  void name_lost_words() {
    const auto unnamed = [](std::string_view column) {
      return fmt::format(
          "NOT EXISTS (SELECT 1 FROM names n WHERE n.run_key = t.run_key AND "
          "n.name_key = t.{})",
          column);
    };
    for (const auto& [table, column] :
         {std::pair{"component_metrics", "component"}, std::pair{"operation_classes", "component"},
          std::pair{"operation_classes", "op"}, std::pair{"operation_kinds", "component"},
          std::pair{"operation_kinds", "op"}, std::pair{"operation_kinds", "name"},
          std::pair{"activation_metrics", "component"}}) {
      target_.exec(
          fmt::format("INSERT OR IGNORE INTO names (run_key, name_key, name) "
                      "SELECT DISTINCT run_key, {}, '(lost)' FROM {} t WHERE {}",
                      column, table, unnamed(column)));
    }
    for (const auto& [table, column] :
         {std::pair{"activation_metrics", "phase"}, std::pair{"attention_metrics", "phase"},
          std::pair{"moe_routings", "phase"}, std::pair{"sensor_readings", "quantity"}}) {
      report_.orphans += static_cast<std::size_t>(
          target_.exec(fmt::format("DELETE FROM {} AS t WHERE {}", table, unnamed(column))));
    }
  }

  void warn_of_losses() {
    SQLite::Statement insert(
        target_,
        "INSERT INTO warnings (run_key, position, component, code, message) SELECT run_key, "
        "(SELECT ifnull(max(position), -1) + 1 FROM warnings w WHERE w.run_key = runs.run_key), "
        "'store', 'salvaged', 'The database was damaged, and a part of this run could not be read' "
        "FROM runs WHERE run_key = ?");
    for (const std::int64_t run : losses_) {
      insert.bind(1, run);
      insert.exec();
      insert.reset();
    }
  }

  SQLite::Database& source_;
  SQLite::Database& target_;
  SalvageReport report_;
  std::set<std::int64_t> losses_;  // runs that lost rows
};

/// Removes a database, with what SQLite and we keep beside it.
void remove_database(const fs::path& path) {
  std::error_code none;
  for (const char* const suffix : {"", "-wal", "-shm", "-journal", "-owner"}) {
    fs::remove(beside(path, suffix), none);
  }
}

}  // namespace

Result<SalvageReport> salvage_database(const fs::path& damaged, const fs::path& target) {
  std::error_code failed;
  if (!fs::exists(damaged, failed)) {
    return fail(ErrorCode::not_found, fmt::format("There is no database at {}", damaged.string()),
                "Name the damaged one with --db PATH.");
  }
  if (fs::exists(target, failed)) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{} exists: salvaged rows would be mixed with its own", target.string()),
        fmt::format("Name a file that does not exist yet, or move it away: mv {0} {0}.old",
                    shell_quote(target.string())));
  }
  if (auto clear = set_aside_foreign_log(follow_links(damaged)); !clear) {
    return std::unexpected(std::move(clear.error()));
  }
  // Under another name until it is complete: a killed program leaves no file that looks complete.
  const fs::path partial = beside(target, ".partial");
  remove_database(partial);
  auto saved = Connection::open(partial, {});
  if (!saved) {
    return std::unexpected(std::move(saved.error()));
  }
  const StoreAction reading{.path = damaged, .what = "read the damaged database"};
  auto report = guarded(reading, [&]() -> Result<SalvageReport> {
    SQLite::Database source(fs::absolute(damaged).string(), SQLite::OPEN_READWRITE);
    source.execAndGet("SELECT count(*) FROM sqlite_schema");  // fails if nothing can be read
    return guarded((*saved)->action("save what can be read", fs::file_size(damaged)),
                   [&]() -> Result<SalvageReport> {
                     SQLite::Transaction transaction((*saved)->database(),
                                                     SQLite::TransactionBehavior::IMMEDIATE);
                     SalvageReport copied = Salvager(source, (*saved)->database()).salvage();
                     transaction.commit();
                     return copied;
                   });
  });
  if (report) {
    (*saved)->checkpoint("TRUNCATE");
  }
  saved->reset();
  if (report && std::rename(partial.c_str(), target.c_str()) != 0) {
    report = fail(error_code_from_errno(errno),
                  fmt::format("Cannot rename {} to {}: {}", partial.string(), target.string(),
                              std::generic_category().message(errno)),
                  "Name another file.");
  }
  if (!report) {
    remove_database(partial);
  }
  return report;
}

}  // namespace enprof
