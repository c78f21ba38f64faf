#include "store/run_writer.hpp"

#include "base/shell_quote.hpp"
#include "store/column_visitors.hpp"
#include "store/operation_events.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

constexpr int kKeyColumns = 2;  // run_key and the position in the list

/// "INSERT INTO table (run_key, place, …) VALUES (?, ?, …)"
std::string insertion(std::string_view table, std::string_view keys, int key_count,
                      const ColumnNames& names) {
  std::string marks = "?";
  for (int more = key_count + names.count() - 1; more > 0; --more) {
    marks += ", ?";
  }
  return fmt::format("INSERT INTO {} ({}{}) VALUES ({})", table, keys, names.joined(), marks);
}

/// Writes the lists of one run.
class ListWriter {
 public:
  ListWriter(SQLite::Database& database, std::int64_t run_key)
      : database_(database), run_key_(run_key), names_(database, run_key) {}

  /// Writes a list, each row with its position, in the column `place`.
  template <class Row>
  void write(const std::vector<Row>& rows, std::string_view table, std::string_view place,
             const auto& columns) {
    if (rows.empty()) {
      return;
    }
    SQLite::Statement insert(database_, insertion(table, fmt::format("run_key, {}, ", place),
                                                  kKeyColumns, ColumnNames::of<Row>(columns)));
    insert.bind(1, run_key_);
    for (std::size_t index = 0; index < rows.size(); ++index) {
      insert.bind(2, static_cast<std::int64_t>(index));
      ColumnBinder binder(insert, kKeyColumns + 1, &names_);
      columns(binder, rows[index]);
      insert.exec();
      insert.reset();
    }
  }

  void write_values(const SampledValues& values) {
    if (values == SampledValues{}) {
      return;
    }
    SQLite::Statement insert(database_,
                             insertion("sampled_values", "run_key, ", 1,
                                       ColumnNames::of<SampledValues>(kSampledValuesFields)));
    insert.bind(1, run_key_);
    ColumnBinder binder(insert, 2);
    kSampledValuesFields(binder, values);
    insert.exec();
    write(values.activations, "activation_metrics", "position", kActivationFields);
    write(values.attention, "attention_metrics", "position", kAttentionFields);
    write(values.experts, "moe_routings", "position", kExpertFields);
    write_experts(values.experts);
  }

 private:
  void write_experts(const std::vector<ExpertActivation>& routings) {
    SQLite::Statement insert(database_,
                             "INSERT INTO moe_expert_activations (run_key, position, rank, expert, "
                             "weight) VALUES (?, ?, ?, ?, ?)");
    insert.bind(1, run_key_);
    for (std::size_t position = 0; position < routings.size(); ++position) {
      const ExpertActivation& routing = routings[position];
      insert.bind(2, static_cast<std::int64_t>(position));
      for (std::size_t rank = 0; rank < routing.experts.size(); ++rank) {
        insert.bind(3, static_cast<std::int64_t>(rank));
        insert.bind(4, static_cast<int>(routing.experts[rank]));
        insert.bind(5, static_cast<double>(routing.weights[rank]));
        insert.exec();
        insert.reset();
      }
    }
  }

  SQLite::Database& database_;
  std::int64_t run_key_;
  NameWriter names_;
};

/// The key of an unfinished run, or of one whose status is `or_in_state`; empty if there is no run
/// of that id. Errors: invalid_argument, if the run is in any other state.
Result<std::optional<std::int64_t>> find_unfinished_key(SQLite::Database& database,
                                                        const std::filesystem::path& path,
                                                        const std::string& run_id,
                                                        std::string_view or_in_state = {}) {
  SQLite::Statement select(database, "SELECT run_key, status FROM runs WHERE run_id = ?");
  select.bind(1, run_id);
  if (!select.executeStep()) {
    return std::nullopt;
  }
  if (const std::string status = select.getColumn(1).getString();
      status != to_string(RunStatus::running) && status != or_in_state) {
    return fail(
        ErrorCode::invalid_argument, fmt::format("Run {} is in {} already", run_id, path.string()),
        fmt::format("Delete it first: enprof rm {} --db {}", run_id, shell_quote(path.string())));
  }
  return select.getColumn(0).getInt64();
}

}  // namespace

Result<void> check_run(const ProfiledRun& run) {
  const std::size_t domains = run.power.domains.size();
  const auto bad = [&](std::string what) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("Run {} cannot be saved: {}", run.run_id, what),
                "This is a bug in the program that recorded the run.");
  };
  const auto no_domain = [&](std::string who, std::size_t domain) {
    return bad(
        fmt::format("{} refers to power domain {}, but the run has {}", who, domain, domains));
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
  for (std::size_t index = 0; index < run.power.readings.size(); ++index) {
    if (const std::size_t domain = run.power.readings[index].domain; domain >= domains) {
      return no_domain(fmt::format("reading {}", index), domain);
    }
  }
  const std::size_t operations = run.operation_table.operations.size();
  for (const OperationEvent& event : run.operation_table.events) {
    if (event.operation >= operations) {
      return bad(fmt::format("an event refers to operation {}, but the run has {}", event.operation,
                             operations));
    }
  }
  for (const ExpertActivation& routing : run.values.experts) {
    if (routing.experts.size() != routing.weights.size()) {
      return bad(fmt::format("a layer has {} experts but {} weights", routing.experts.size(),
                             routing.weights.size()));
    }
  }
  return {};
}

std::uintmax_t bytes_to_save(const ProfiledRun& run) {
  // Rounded up from files with many runs; docs/schema.md has the sizes.
  constexpr std::uintmax_t kRun = 8192;
  constexpr std::uintmax_t kToken = 176;
  constexpr std::uintmax_t kSample = 36;
  constexpr std::uintmax_t kFigure = 152;
  constexpr std::uintmax_t kKind = 96;
  constexpr std::uintmax_t kEvent = 32;
  constexpr std::uintmax_t kValue = 64;
  std::uintmax_t bytes = kRun + run.prompt.size() + run.response.size();
  bytes += (run.power.samples.size() + run.power.readings.size()) * kSample;
  bytes += (run.layers.size() + run.components.size() + run.operations.size()) * kFigure;
  bytes += run.operation_table.operations.size() * kKind;
  bytes += run.operation_table.events.size() * kEvent;
  bytes += (run.values.activations.size() + run.values.attention.size()) * kValue;
  for (const ExpertActivation& routing : run.values.experts) {
    bytes += kValue + routing.experts.size() * kEvent;
  }
  for (const TokenFigure& token : run.tokens) {
    bytes += kToken + token.text.size();
  }
  return 2 * bytes;
}

std::int64_t write_run(SQLite::Database& database, const ProfiledRun& run,
                       std::optional<std::int64_t> key) {
  SQLite::Statement insert(
      database, insertion("runs", "run_key, ", 1, ColumnNames::of<ProfiledRun>(kRunColumns)));
  ColumnBinder binder(insert);
  binder("run_key", key);
  kRunColumns(binder, run);
  insert.exec();
  const std::int64_t run_key = database.getLastInsertRowid();

  const PowerFigures& power = run.power;
  ListWriter list(database, run_key);
  list.write(run.tags, "tags", "position", kTagColumns);
  list.write(run.phases, "pipeline_phases", "position", kPhaseFields);
  list.write(run.sections, "pipeline_sections", "position", kSectionFields);
  list.write(run.tokens, "tokens", "position", kTokenFields);
  list.write(run.layers, "layer_metrics", "position", kLayerFields);
  list.write(run.components, "component_metrics", "position", kComponentFields);
  list.write(run.operations, "operation_classes", "position", kOperationClassFields);
  list.write(run.operation_table.operations, "operation_kinds", "operation", kOperationKindFields);
  write_operation_events(database, run_key, run.operation_table.events);
  list.write_values(run.values);
  list.write(power.sources, "power_sources", "position", kSourceColumns);
  list.write(power.domains, "power_domains", "domain", kDomainFigureFields);
  if (power.peak) {
    list.write(power.peak->by_domain, "peak_powers", "domain", kPeakPowerColumns);
  }
  list.write(power.samples, "power_samples", "position", kSampleColumns);
  list.write(power.readings, "sensor_readings", "position", kPowerReadingFields);
  list.write(run.warnings, "warnings", "position", kWarningFields);
  list.write(run.verdict_reasons, "verdict_reasons", "position", kVerdictReasonFields);
  if (run.capture) {
    list.write(run.capture->parts, "capture_parts", "position", kCapturePartFields);
    list.write(run.capture->occupancy, "capture_occupancy", "position", kCaptureOccupancyFields);
  }
  return run_key;
}

Result<void> replace_run(SQLite::Database& database, const std::filesystem::path& path,
                         const ProfiledRun& run) {
  // A finished run also replaces its interrupted part.
  const bool is_whole = run.status != RunStatus::interrupted && run.status != RunStatus::running;
  const auto key =
      find_unfinished_key(database, path, run.run_id,
                          is_whole ? to_string(RunStatus::interrupted) : std::string_view{});
  if (!key) {
    return std::unexpected(key.error());
  }
  if (*key) {
    erase_run(database, run.run_id);
  }
  write_run(database, run, *key);
  return {};
}

Result<void> insert_unfinished_run(SQLite::Database& database, const std::filesystem::path& path,
                                   const ProfiledRun& run) {
  const auto key = find_unfinished_key(database, path, run.run_id);
  if (!key) {
    return std::unexpected(key.error());
  }
  if (!*key) {
    ProfiledRun begun = run;
    begun.status = RunStatus::running;
    write_run(database, begun);
  }
  return {};
}

Result<bool> replace_tags(SQLite::Database& database, std::string_view run_id,
                          std::span<const std::string> tags) {
  SQLite::Statement select(database,
                           "SELECT run_key, status = 'running' FROM runs WHERE run_id = ?");
  select.bind(1, std::string{run_id});
  if (!select.executeStep()) {
    return false;
  }
  if (select.getColumn(1).getInt() != 0) {
    return fail(ErrorCode::busy, fmt::format("Run {} is not finished", run_id),
                "Tag it when it is finished.");
  }
  const std::int64_t run_key = select.getColumn(0).getInt64();
  SQLite::Statement erase(database, "DELETE FROM tags WHERE run_key = ?");
  erase.bind(1, run_key);
  erase.exec();
  ListWriter(database, run_key)
      .write(std::vector<std::string>(tags.begin(), tags.end()), "tags", "position", kTagColumns);
  return true;
}

bool erase_run(SQLite::Database& database, std::string_view run_id) {
  SQLite::Statement statement(database, "DELETE FROM runs WHERE run_id = ?");
  statement.bind(1, std::string{run_id});
  return statement.exec() > 0;
}

}  // namespace enprof
