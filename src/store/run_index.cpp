#include "store/run_index.hpp"

#include "store/column_visitors.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace enprof {
namespace {

constexpr std::string_view kNewestFirst = "ORDER BY started_at_ms DESC, run_key DESC";

/// LIMIT and OFFSET are signed, and a negative limit means none.
std::int64_t to_sql(std::size_t count) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return count > static_cast<std::size_t>(kMost) ? kMost : static_cast<std::int64_t>(count);
}

/// The filter as a WHERE clause and the values of its parameters.
struct Condition {
  std::string text;
  std::vector<std::string> values;

  void add(std::string_view term, const std::string& value) {
    if (!value.empty()) {
      text += values.empty() ? "WHERE " : " AND ";
      text += term;
      values.push_back(value);
    }
  }
  /// Returns the next free parameter.
  int bind(SQLite::Statement& statement) const {
    int next = 1;
    for (const std::string& value : values) {
      statement.bind(next++, value);
    }
    return next;
  }
};

Condition condition_of(const RunFilter& filter) {
  Condition condition;
  condition.add("model_name = ?", filter.model);
  condition.add("experiment = ?", filter.experiment);
  condition.add("run_key IN (SELECT run_key FROM tags WHERE tag = ?)", filter.tag);
  return condition;
}

/// The least text that is greater than each text with the prefix; empty where there is none.
std::optional<std::string> end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) {
    prefix.pop_back();
  }
  if (prefix.empty()) {
    return std::nullopt;
  }
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

/// At most `limit` ids that begin with the prefix, and how many there are. A range, so that no
/// character means more than itself and the index serves.
std::vector<std::string> ids_with_prefix(SQLite::Database& database, std::string_view prefix,
                                         std::size_t limit, std::size_t& count) {
  const std::optional<std::string> end = end_of_prefix(std::string{prefix});
  const std::string_view range =
      end ? "FROM runs WHERE run_id >= ?1 AND run_id < ?2" : "FROM runs WHERE run_id >= ?1";
  const auto bind = [&](SQLite::Statement& statement) {
    statement.bind(1, std::string{prefix});
    if (end) {
      statement.bind(2, *end);
    }
  };
  SQLite::Statement counted(database, fmt::format("SELECT count(*) {}", range));
  bind(counted);
  counted.executeStep();
  count = static_cast<std::size_t>(counted.getColumn(0).getInt64());

  SQLite::Statement select(
      database, fmt::format("SELECT run_id {} ORDER BY run_id LIMIT {}", range, to_sql(limit)));
  bind(select);
  return read_rows<std::string>(select, [](auto& column, auto& row) { column("run_id", row); });
}

std::optional<std::string> newest_run(SQLite::Database& database) {
  SQLite::Statement select(database,
                           fmt::format("SELECT run_id FROM runs {} LIMIT 1", kNewestFirst));
  if (!select.executeStep()) {
    return std::nullopt;
  }
  return select.getColumn(0).getString();
}

}  // namespace

RunList find_runs(SQLite::Database& database, const RunFilter& filter) {
  const Condition condition = condition_of(filter);
  RunList list;
  SQLite::Statement count(database, fmt::format("SELECT count(*) FROM runs {}", condition.text));
  condition.bind(count);
  count.executeStep();
  list.total = static_cast<std::size_t>(count.getColumn(0).getInt64());

  SQLite::Statement select(
      database, fmt::format("SELECT {} FROM runs {} {} LIMIT ? OFFSET ?",
                            ColumnNames::of<RunSummary>(kSummaryColumns).text(), condition.text,
                            kNewestFirst));
  const int next = condition.bind(select);
  select.bind(next, to_sql(filter.limit));
  select.bind(next + 1, to_sql(filter.offset));
  list.runs = read_rows<RunSummary>(select, kSummaryColumns);

  SQLite::Statement tags(database,
                         "SELECT tag FROM tags WHERE run_key = "
                         "(SELECT run_key FROM runs WHERE run_id = ?) ORDER BY position");
  for (RunSummary& run : list.runs) {
    tags.bind(1, run.run_id);
    run.tags = read_rows<std::string>(tags, kTagColumns);
    tags.reset();
  }
  return list;
}

Result<std::string> resolve_run(SQLite::Database& database, std::string_view id_or_prefix) {
  constexpr const char* kList = "List the runs: enprof runs";
  if (id_or_prefix.empty()) {
    return fail(ErrorCode::invalid_argument, "The id of a run is empty",
                "Name a run by its id, the first characters of it, or \"last\".");
  }
  SQLite::Statement exact(database, "SELECT run_id FROM runs WHERE run_id = ?");
  exact.bind(1, std::string{id_or_prefix});
  if (exact.executeStep()) {
    return std::string{id_or_prefix};
  }
  if (id_or_prefix == "last") {
    if (auto newest = newest_run(database)) {
      return *std::move(newest);
    }
    return fail(ErrorCode::not_found, "There are no runs in the database yet",
                "Profile something first: enprof run -m model.gguf -p \"…\"");
  }

  constexpr std::size_t kNamed = 10;
  std::size_t count = 0;
  std::vector<std::string> ids = ids_with_prefix(database, id_or_prefix, kNamed, count);
  if (ids.empty()) {
    return fail(ErrorCode::not_found, fmt::format("There is no run {}", id_or_prefix), kList);
  }
  if (count == 1) {
    return std::move(ids.front());
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("{} runs begin with {}", count, id_or_prefix),
              fmt::format("Type more of the id. They are: {}{}", fmt::join(ids, ", "),
                          count > kNamed ? ", …" : ""));
}

}  // namespace enprof
