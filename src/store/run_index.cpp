#include "store/run_index.hpp"

#include "base/nearest_name.hpp"
#include "store/column_visitors.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>

namespace enprof {
namespace {

constexpr std::string_view kNewestFirst = "ORDER BY started_at_ms DESC, run_key DESC";

/// LIMIT and OFFSET are signed, and a negative limit means no limit.
std::int64_t to_sql(std::size_t count) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return count > static_cast<std::size_t>(kMost) ? kMost : static_cast<std::int64_t>(count);
}

/// The filter as a WHERE clause and the values of its parameters.
class Condition {
 public:
  explicit Condition(const RunFilter& filter) {
    add("model_name = ?", filter.model);
    add("instr(lower(model_name), lower(?)) > 0", filter.model_text);
    add("experiment = ?", filter.experiment);
    add("run_key IN (SELECT run_key FROM tags WHERE tag = ?)", filter.tag);
    // An engine's name may be given without its version.
    if (!filter.engine.empty()) {
      add("(engine = ? OR substr(engine, 1, ?) = ?)", filter.engine);
      values_.emplace_back(static_cast<std::int64_t>(length_of(filter.engine + " ")));
      values_.emplace_back(filter.engine + " ");
    }
    if (filter.from) {
      add("started_at_ms >= ?", *filter.from);
    }
    if (filter.to) {
      add("started_at_ms < ?", *filter.to);
    }
    add("instr(lower(prompt), lower(?)) > 0", filter.prompt_text);
    if (filter.capture.empty()) {
      add_term("capture_id IS NULL");
    } else {
      add("capture_id = ?", filter.capture);
    }
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  /// Returns the next free parameter.
  int bind(SQLite::Statement& statement) const {
    int next = 1;
    for (const auto& value : values_) {
      std::visit([&](const auto& content) { statement.bind(next++, content); }, value);
    }
    return next;
  }

 private:
  void add_term(std::string_view term) {
    text_ += text_.empty() ? "WHERE " : " AND ";
    text_ += term;
  }
  void add(std::string_view term, const std::string& value) {
    if (!value.empty()) {
      add_term(term);
      values_.emplace_back(value);
    }
  }
  void add(std::string_view term, WallTime value) {
    add_term(term);
    values_.emplace_back(static_cast<std::int64_t>(value.time_since_epoch().count()));
  }
  /// In characters, as substr() counts.
  static std::size_t length_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char character) {
      return (static_cast<unsigned char>(character) & 0xC0) != 0x80;
    }));
  }

  std::string text_;
  std::vector<std::variant<std::string, std::int64_t>> values_;
};

/// Runs without the value come last in both directions.
std::string order_of(const RunFilter& filter) {
  if (!filter.capture.empty() && filter.order == RunOrder::date) {
    return filter.ascending ? "ORDER BY request_number DESC" : "ORDER BY request_number";
  }
  std::string_view column = "started_at_ms";
  switch (filter.order) {
    case RunOrder::date:
      break;
    case RunOrder::duration:
      column = "duration_ns";
      break;
    case RunOrder::energy:
      column = "energy_j";
      break;
    case RunOrder::joules_per_token:
      column = "energy_per_output_token_j";
      break;
  }
  return filter.ascending ? fmt::format("ORDER BY {} ASC NULLS LAST, run_key ASC", column)
                          : fmt::format("ORDER BY {} DESC NULLS LAST, run_key DESC", column);
}

std::vector<std::int64_t> read_keys(SQLite::Statement& select) {
  std::vector<std::int64_t> keys;
  while (select.executeStep()) {
    keys.push_back(select.getColumn(0).getInt64());
  }
  return keys;
}

/// The least text that is greater than every text with the prefix; empty if there is no such text.
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

/// At most `limit` ids that begin with the prefix, and the number of all that do. Uses a range, so
/// that no character is special and the index is used.
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
  SQLite::Statement select(database, fmt::format("SELECT run_id FROM runs WHERE capture_id IS NULL "
                                                 "{} LIMIT 1",
                                                 kNewestFirst));
  if (!select.executeStep()) {
    return std::nullopt;
  }
  return select.getColumn(0).getString();
}

/// Reads a column of the runs of a page, in order; sets `total` to the number of all that match.
SQLite::Statement select_runs(SQLite::Database& database, std::string_view column,
                              const RunFilter& filter, std::size_t& total) {
  const Condition condition(filter);
  SQLite::Statement count(database, fmt::format("SELECT count(*) FROM runs {}", condition.text()));
  condition.bind(count);
  count.executeStep();
  total = static_cast<std::size_t>(count.getColumn(0).getInt64());

  SQLite::Statement select(database, fmt::format("SELECT {} FROM runs {} {} LIMIT ? OFFSET ?",
                                                 column, condition.text(), order_of(filter)));
  const int next = condition.bind(select);
  select.bind(next, to_sql(filter.limit));
  select.bind(next + 1, to_sql(filter.offset));
  return select;
}

}  // namespace

RunList find_runs(SQLite::Database& database, const RunFilter& filter) {
  // Select the keys first: a sort would otherwise move the prompts of all runs.
  std::size_t total = 0;
  SQLite::Statement select = select_runs(database, "run_key", filter, total);
  return {.runs = read_summaries(database, read_keys(select)), .total = total};
}

RunIds find_run_ids(SQLite::Database& database, const RunFilter& filter) {
  RunIds found;
  SQLite::Statement select = select_runs(database, "run_id", filter, found.total);
  while (select.executeStep()) {
    found.ids.push_back(select.getColumn(0).getString());
  }
  return found;
}

std::vector<ExperimentSummary> list_experiments(SQLite::Database& database) {
  // The index runs_by_experiment has all that this reads.
  SQLite::Statement select(database,
                           "SELECT experiment, COUNT(*), MIN(started_at_ms), MAX(started_at_ms) "
                           "FROM runs WHERE experiment IS NOT NULL AND experiment != '' "
                           "GROUP BY experiment ORDER BY 4 DESC, 1");
  const auto time = [&](int column) {
    return WallTime{std::chrono::milliseconds{select.getColumn(column).getInt64()}};
  };
  std::vector<ExperimentSummary> found;
  while (select.executeStep()) {
    found.push_back({.name = select.getColumn(0).getString(),
                     .runs = static_cast<std::size_t>(select.getColumn(1).getInt64()),
                     .first = time(2),
                     .last = time(3)});
  }
  return found;
}

RunSummaries read_summaries(SQLite::Database& database, std::span<const std::string> run_ids,
                            std::size_t bytes) {
  RunSummaries found;
  std::size_t taken = 0;
  for (const std::string& id : run_ids) {
    if (taken >= bytes) {
      break;
    }
    ++found.asked;
    if (auto run = read_summary(database, id)) {
      taken += sizeof(RunSummary) + run->prompt.size();
      found.runs.push_back(*std::move(run));
    }
  }
  return found;
}

std::vector<RunSummary> read_summaries(SQLite::Database& database,
                                       std::span<const std::int64_t> run_keys) {
  SQLite::Statement select(database,
                           fmt::format("SELECT {} FROM runs WHERE run_key = ?",
                                       ColumnNames::of<RunSummary>(kSummaryColumns).joined()));
  SQLite::Statement tags(database, "SELECT tag FROM tags WHERE run_key = ? ORDER BY position");
  std::vector<RunSummary> runs;
  for (const std::int64_t key : run_keys) {
    select.bind(1, key);
    std::vector<RunSummary> row = read_rows<RunSummary>(select, kSummaryColumns);
    select.reset();
    if (row.empty()) {
      throw SQLite::Exception("an index refers to a run that does not exist", SQLITE_CORRUPT);
    }
    tags.bind(1, key);
    row.front().tags = read_rows<std::string>(tags, kTagColumns);
    tags.reset();
    runs.push_back(std::move(row.front()));
  }
  return runs;
}

std::optional<RunSummary> read_summary(SQLite::Database& database, std::string_view run_id) {
  SQLite::Statement select(database, "SELECT run_key FROM runs WHERE run_id = ?");
  select.bind(1, std::string{run_id});
  const std::vector<std::int64_t> keys = read_keys(select);
  if (keys.empty()) {
    return std::nullopt;
  }
  return read_summaries(database, keys).front();
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
    constexpr std::array<std::string_view, 1> kLast{"last"};
    const bool is_typo = nearest_name(id_or_prefix, kLast).has_value();
    return fail(
        ErrorCode::not_found,
        fmt::format("There is no run {}{}", id_or_prefix, is_typo ? "; did you mean last?" : ""),
        kList);
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
