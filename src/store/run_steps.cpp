#include "store/run_steps.hpp"

#include "base/shell_quote.hpp"
#include "store/column_visitors.hpp"
#include "store/step_store.hpp"

#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <chrono>

namespace enprof {
namespace {

constexpr auto kStepColumns = [](auto& column, auto& row) {
  auto& [step, content] = row;
  column("step", step);
  column("content", content);
};

}  // namespace

std::uintmax_t bytes_to_append(std::span<const RunStep> steps) {
  constexpr std::uintmax_t kPage = 4096;
  std::uintmax_t bytes = 0;
  for (const RunStep& step : steps) {
    bytes += kPage + step.content.size();
  }
  return 2 * bytes;
}

Result<void> write_steps(SQLite::Database& database, const std::filesystem::path& path,
                         std::string_view run_id, std::span<const RunStep> steps) {
  SQLite::Statement key(database,
                        "SELECT run_key FROM runs WHERE run_id = ? AND status = 'running'");
  key.bind(1, std::string{run_id});
  if (!key.executeStep()) {
    return fail(ErrorCode::not_found,
                fmt::format("There is no unfinished run {} in {}: its steps cannot be written. "
                            "Nothing was changed",
                            run_id, path.string()),
                fmt::format("Begin the run first. To list the runs: enprof runs --db {}",
                            shell_quote(path.string())));
  }
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  SQLite::Statement insert(database,
                           "INSERT INTO run_steps (run_key, saved_at_ms, step, content) "
                           "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
  insert.bind(1, key.getColumn(0).getInt64());
  insert.bind(2, static_cast<std::int64_t>(now.time_since_epoch().count()));
  for (const RunStep& step : steps) {
    ColumnBinder binder(insert, 3);
    kStepColumns(binder, step);
    insert.exec();
    insert.reset();
  }
  return {};
}

std::vector<RunStep> read_steps(SQLite::Database& database, std::string_view run_id) {
  SQLite::Statement select(database,
                           "SELECT step, content FROM run_steps WHERE run_key = "
                           "(SELECT run_key FROM runs WHERE run_id = ?) ORDER BY step");
  select.bind(1, std::string{run_id});
  return read_rows<RunStep>(select, kStepColumns);
}

std::vector<std::string> find_unfinished_runs(SQLite::Database& database) {
  SQLite::Statement select(database,
                           "SELECT run_id FROM runs WHERE status = 'running' ORDER BY run_key");
  return read_rows<std::string>(select, [](auto& column, auto& row) { column("run_id", row); });
}

}  // namespace enprof
