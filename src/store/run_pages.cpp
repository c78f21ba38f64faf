#include "store/run_pages.hpp"

#include "store/column_visitors.hpp"
#include "store/operation_events.hpp"
#include "store/row_columns.hpp"
#include "store/run_reader.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr RunParts kHeadOnly{
    .tokens = false, .layers = false, .operations = false, .values = false, .power_samples = false};

std::size_t count_kinds(SQLite::Database& database, std::int64_t run_key) {
  SQLite::Statement count(database, "SELECT count(*) FROM operation_kinds WHERE run_key = ?");
  count.bind(1, run_key);
  count.executeStep();
  return static_cast<std::size_t>(count.getColumn(0).getInt64());
}

/// Whether the row is still the run that the head was read from. An unfinished run is replaced when
/// it finishes, and the key of a deleted run may be reused.
bool is_still_there(SQLite::Database& database, const RunHead& head) {
  SQLite::Statement select(database,
                           "SELECT run_id, status, started_at_ms FROM runs WHERE run_key = ?");
  select.bind(1, head.key);
  return select.executeStep() && select.getColumn(0).getString() == head.run.run_id &&
         select.getColumn(1).getString() == to_string(head.run.status) &&
         select.getColumn(2).getInt64() == head.run.started_at.time_since_epoch().count();
}

/// Reads rows of one list, starting at a place.
class PageReader {
 public:
  PageReader(SQLite::Database& database, const RunHead& head, const RunPlace& from,
             std::size_t rows)
      : database_(database), head_(head), from_(from), rows_(rows) {}

  [[nodiscard]] RunPage read(RunRows list) {
    ProfiledRun& run = page_.run;
    switch (list) {
      case RunRows::tokens:
        read(run.tokens, "tokens", "position", kTokenFields);
        break;
      case RunRows::layers:
        read(run.layers, "layer_metrics", "position", kLayerFields);
        break;
      case RunRows::components:
        read(run.components, "component_metrics", "position", kComponentFields);
        break;
      case RunRows::operations:
        read(run.operations, "operation_classes", "position", kOperationClassFields);
        break;
      case RunRows::operation_kinds:
        read(run.operation_table.operations, "operation_kinds", "operation", kOperationKindFields);
        break;
      case RunRows::operation_events:
        run.operation_table.events =
            read_operation_events(database_, head_.key, head_.operations, from_, rows_, page_.next);
        page_.rows = run.operation_table.events.size();
        break;
      case RunRows::activations:
        read(run.values.activations, "activation_metrics", "position", kActivationFields);
        break;
      case RunRows::attention:
        read(run.values.attention, "attention_metrics", "position", kAttentionFields);
        break;
      case RunRows::experts:
        read(run.values.experts, "moe_routings", "position", kExpertFields);
        read_choices(run.values.experts);
        break;
      case RunRows::power_samples:
        read(run.power.samples, "power_samples", "position", kSampleColumns);
        check_domains(run.power.samples);
        break;
      case RunRows::sensor_readings:
        read(run.power.readings, "sensor_readings", "position", kPowerReadingFields);
        check_domains(run.power.readings);
        break;
    }
    return std::move(page_);
  }

 private:
  template <class Row>
  void read(std::vector<Row>& rows, std::string_view table, std::string_view place,
            const auto& columns) {
    const NameReader names(database_, head_.key);
    SQLite::Statement select(
        database_,
        fmt::format("SELECT {0}, {1} FROM {2} WHERE run_key = ? AND {0} >= ? ORDER BY {0} LIMIT ?",
                    place, ColumnNames::of<Row>(columns).joined(), table));
    select.bind(1, head_.key);
    select.bind(2, from_.row);
    select.bind(3, static_cast<std::int64_t>(rows_));
    while (select.executeStep()) {
      keys_.push_back(select.getColumn(0).getInt64());
      ColumnReader reader(select, &names, 1);
      columns(reader, rows.emplace_back());
    }
    page_.rows = rows.size();
    page_.next.row = keys_.empty() ? from_.row : keys_.back() + 1;
  }

  /// The experts of the routings in this page.
  void read_choices(std::vector<ExpertActivation>& routings) {
    SQLite::Statement select(database_,
                             "SELECT position, expert, weight FROM moe_expert_activations "
                             "WHERE run_key = ? AND position >= ? AND position < ? "
                             "ORDER BY position, rank");
    select.bind(1, head_.key);
    select.bind(2, from_.row);
    select.bind(3, page_.next.row);
    while (select.executeStep()) {
      const auto key = std::ranges::lower_bound(keys_, select.getColumn(0).getInt64());
      if (key == keys_.end() || *key != select.getColumn(0).getInt64()) {
        throw SQLite::Exception("an expert refers to a routing that does not exist",
                                SQLITE_CORRUPT);
      }
      ExpertActivation& routing = routings[static_cast<std::size_t>(key - keys_.begin())];
      routing.experts.push_back(static_cast<std::uint16_t>(select.getColumn(1).getInt()));
      double weight = 0.0;
      ColumnReader reader(select, nullptr, 2);
      reader.number("weight", weight);
      routing.weights.push_back(static_cast<float>(weight));
    }
  }

  template <class Row>
  void check_domains(const std::vector<Row>& rows) const {
    const std::size_t count = head_.run.power.domains.size();
    if (!std::ranges::all_of(rows, [&](const Row& row) { return row.domain < count; })) {
      throw SQLite::Exception("a row refers to a power domain that does not exist", SQLITE_CORRUPT);
    }
  }

  SQLite::Database& database_;
  const RunHead& head_;
  const RunPlace& from_;
  std::size_t rows_;
  std::vector<std::int64_t> keys_;  // of the rows in this page
  RunPage page_{.run = {}, .rows = 0, .next = {}};
};

// ---- the rows of some passes --------------------------------------------------------------------

/// A condition on a table's token, and its bounds, which are ?2 and ?3. The prompt's rows have no
/// token: one condition for both cases would keep SQLite from using its index.
struct TokenCondition {
  std::string_view text;
  bool is_narrow = true;  // selects less than the whole run
  std::int64_t first = 0;
  std::int64_t last = 0;
};

std::vector<TokenCondition> conditions_of(const PassRange& range) {
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  if (range.first <= kNoIndex && range.last == kLast) {
    return {{.text = "?2 <= ?3", .is_narrow = false}};
  }
  std::vector<TokenCondition> conditions;
  if (range.first <= kNoIndex && range.last >= kNoIndex) {
    conditions.push_back({.text = "token IS NULL AND ?2 <= ?3"});
  }
  if (range.last >= 0) {
    conditions.push_back({.text = "token BETWEEN ?2 AND ?3",
                          .first = std::max<std::int64_t>(range.first, 0),
                          .last = range.last});
  }
  return conditions;
}

/// The rows of a run that belong to a range of passes, in stored order.
SQLite::Statement select_passes(SQLite::Database& database, std::string_view columns,
                                std::string_view table, std::string_view place,
                                const TokenCondition& condition, std::int64_t run_key) {
  // SQLite would otherwise read all rows of the run in stored order rather than sort a few.
  const std::string found_by =
      condition.is_narrow ? fmt::format("{0} INDEXED BY {0}_by_token", table) : std::string{table};
  SQLite::Statement select(
      database, fmt::format("SELECT {} FROM {} WHERE run_key = ?1 AND {} ORDER BY {}", columns,
                            found_by, condition.text, place));
  select.bind(1, run_key);
  select.bind(2, condition.first);
  select.bind(3, condition.last);
  return select;
}

std::vector<OperationInfo> read_kinds(SQLite::Database& database, std::int64_t run_key) {
  const NameReader names(database, run_key);
  SQLite::Statement select(
      database, fmt::format("SELECT {} FROM operation_kinds WHERE run_key = ? ORDER BY operation",
                            ColumnNames::of<OperationInfo>(kOperationKindFields).joined()));
  select.bind(1, run_key);
  return read_rows<OperationInfo>(select, kOperationKindFields, &names);
}

/// Sums the operations of passes, by phase and operation.
class OperationAdder {
 public:
  explicit OperationAdder(std::size_t operations) : operations_(operations) {}

  void add(Phase phase, SQLite::Statement& rows) {
    std::vector<OperationSum>& sums = of(phase);
    while (rows.executeStep()) {
      const std::int64_t operation = rows.getColumn(0).getInt64();
      check_operation(operation, operations_);
      OperationSum& sum = sums[static_cast<std::size_t>(operation)];
      ++sum.count;
      sum.duration += Nanoseconds{rows.getColumn(1).getInt64()};
      const SQLite::Column energy = rows.getColumn(2);
      if (energy.isNull()) {
        sum.energy.reset();
      } else if (sum.energy) {
        *sum.energy += Joules{energy.getDouble()};
      }
    }
  }

  [[nodiscard]] std::vector<OperationSum> sums() const {
    std::vector<OperationSum> result;
    for (const auto& [phase, sums] : by_phase_) {
      std::ranges::copy_if(sums, std::back_inserter(result),
                           [](const OperationSum& sum) { return sum.count > 0; });
    }
    return result;
  }

 private:
  std::vector<OperationSum>& of(Phase phase) {
    const auto [entry, is_new] = by_phase_.try_emplace(phase);
    if (is_new) {
      for (std::size_t operation = 0; operation < operations_; ++operation) {
        entry->second.push_back({.phase = phase,
                                 .operation = static_cast<std::uint32_t>(operation),
                                 .energy = Joules{0}});
      }
    }
    return entry->second;
  }

  std::size_t operations_;
  std::map<Phase, std::vector<OperationSum>> by_phase_;
};

}  // namespace

std::optional<RunHead> read_head(SQLite::Database& database, std::string_view run_id) {
  auto run = read_run(database, run_id, kHeadOnly);
  if (!run) {
    return std::nullopt;
  }
  const std::int64_t key = *find_run_key(database, run_id);
  SQLite::Statement select(
      database, fmt::format("SELECT {} FROM sampled_values WHERE run_key = ?",
                            ColumnNames::of<SampledValues>(kSampledValuesFields).joined()));
  select.bind(1, key);
  auto values = read_rows<SampledValues>(select, kSampledValuesFields);
  if (!values.empty()) {
    run->values = std::move(values.front());
  }
  return RunHead{.run = *std::move(run), .key = key, .operations = count_kinds(database, key)};
}

std::optional<RunPage> read_page(SQLite::Database& database, const RunHead& head, RunRows list,
                                 const RunPlace& from, std::size_t rows) {
  if (!is_still_there(database, head)) {
    return std::nullopt;
  }
  return PageReader(database, head, from, rows).read(list);
}

std::optional<OperationSums> sum_operations(SQLite::Database& database, std::string_view run_id,
                                            const PassRange& range) {
  const auto run_key = find_run_key(database, run_id);
  if (!run_key) {
    return std::nullopt;
  }
  OperationSums result{.operations = read_kinds(database, *run_key), .sums = {}};
  OperationAdder adder(result.operations.size());
  SQLite::Statement rows(database,
                         "SELECT operation, duration_ns, energy_j FROM operation_metrics "
                         "WHERE pass_key = ? ORDER BY position");
  for (const TokenCondition& condition : conditions_of(range)) {
    SQLite::Statement passes = select_passes(database, "pass_key, phase", "operation_passes",
                                             "pass_key", condition, *run_key);
    while (passes.executeStep()) {
      std::int64_t key = 0;
      Phase phase = Phase::decode;
      ColumnReader pass(passes);
      pass("pass_key", key);
      pass("phase", phase);
      if (range.phase && phase != *range.phase) {
        continue;
      }
      rows.bind(1, key);
      adder.add(phase, rows);
      rows.reset();
    }
  }
  result.sums = adder.sums();
  return result;
}

std::optional<SampledValues> read_values(SQLite::Database& database, std::string_view run_id,
                                         const PassRange& range) {
  const auto run_key = find_run_key(database, run_id);
  if (!run_key) {
    return std::nullopt;
  }
  const NameReader names(database, *run_key);
  SampledValues values;
  const auto read = [&]<class Row>(std::vector<Row>& rows, std::string_view table,
                                   const auto& columns) {
    for (const TokenCondition& condition : conditions_of(range)) {
      SQLite::Statement select = select_passes(database, ColumnNames::of<Row>(columns).joined(),
                                               table, "position", condition, *run_key);
      std::ranges::copy_if(read_rows<Row>(select, columns, &names), std::back_inserter(rows),
                           [&](const Row& row) { return range.has(row.phase, row.token); });
    }
  };
  read(values.activations, "activation_metrics", kActivationFields);
  read(values.attention, "attention_metrics", kAttentionFields);
  return values;
}

}  // namespace enprof
