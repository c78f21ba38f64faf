#include "store/run_reader.hpp"

#include "store/column_visitors.hpp"
#include "store/operation_events.hpp"
#include "store/row_columns.hpp"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <vector>

namespace enprof {
namespace {

/// Reads the lists of one run.
class ListReader {
 public:
  ListReader(SQLite::Database& database, std::int64_t run_key)
      : database_(database), run_key_(run_key), names_(database, run_key) {}

  template <class Row>
  void read(std::vector<Row>& rows, std::string_view table, std::string_view place,
            const auto& columns) const {
    SQLite::Statement select(database_,
                             fmt::format("SELECT {} FROM {} WHERE run_key = ? ORDER BY {}",
                                         ColumnNames::of<Row>(columns).joined(), table, place));
    select.bind(1, run_key_);
    rows = read_rows<Row>(select, columns, &names_);
  }

  void read_values(SampledValues& values) const {
    std::vector<SampledValues> found;
    read(found, "sampled_values", "run_key", kSampledValuesFields);
    if (found.empty()) {
      return;
    }
    values = std::move(found.front());
    read(values.activations, "activation_metrics", "position", kActivationFields);
    read(values.attention, "attention_metrics", "position", kAttentionFields);
    read(values.experts, "moe_routings", "position", kExpertFields);
    read_experts(values.experts);
  }

 private:
  void read_experts(std::vector<ExpertActivation>& routings) const {
    SQLite::Statement select(database_,
                             "SELECT position, expert, weight FROM moe_expert_activations "
                             "WHERE run_key = ? ORDER BY position, rank");
    select.bind(1, run_key_);
    while (select.executeStep()) {
      const std::int64_t position = select.getColumn(0).getInt64();
      if (position < 0 || static_cast<std::uint64_t>(position) >= routings.size()) {
        throw SQLite::Exception("an expert refers to a routing that does not exist",
                                SQLITE_CORRUPT);
      }
      ExpertActivation& routing = routings[static_cast<std::size_t>(position)];
      routing.experts.push_back(static_cast<std::uint16_t>(select.getColumn(1).getInt()));
      double weight = 0.0;
      ColumnReader reader(select, nullptr, 2);
      reader.number("weight", weight);
      routing.weights.push_back(static_cast<float>(weight));
    }
  }

  SQLite::Database& database_;
  std::int64_t run_key_;
  NameReader names_;
};

/// Code that shows the run follows these indices. Foreign keys guarantee them, except against a
/// program that edits the file with foreign keys off.
void check_domains(const PowerFigures& power) {
  const std::size_t count = power.domains.size();
  const bool good =
      std::ranges::all_of(power.domains,
                          [&](const DomainFigure& figure) {
                            return !figure.domain.parent || *figure.domain.parent < count;
                          }) &&
      std::ranges::all_of(power.samples,
                          [&](const PowerSample& sample) { return sample.domain < count; }) &&
      std::ranges::all_of(power.readings,
                          [&](const PowerReading& reading) { return reading.domain < count; }) &&
      (!power.peak || power.peak->by_domain.size() <= count);
  if (!good) {
    throw SQLite::Exception("a row refers to a power domain that does not exist", SQLITE_CORRUPT);
  }
}

void read_power(const ListReader& list, const RunParts& parts, PowerFigures& power) {
  list.read(power.sources, "power_sources", "position", kSourceColumns);
  list.read(power.domains, "power_domains", "domain", kDomainFigureFields);
  if (power.peak) {
    list.read(power.peak->by_domain, "peak_powers", "domain", kPeakPowerColumns);
  }
  if (parts.power_samples) {
    list.read(power.samples, "power_samples", "position", kSampleColumns);
    list.read(power.readings, "sensor_readings", "position", kPowerReadingFields);
  }
  check_domains(power);
}

}  // namespace

std::optional<std::int64_t> find_run_key(SQLite::Database& database, std::string_view run_id) {
  SQLite::Statement select(database, "SELECT run_key FROM runs WHERE run_id = ?");
  select.bind(1, std::string{run_id});
  if (!select.executeStep()) {
    return std::nullopt;
  }
  return select.getColumn(0).getInt64();
}

std::optional<ProfiledRun> read_run(SQLite::Database& database, std::string_view run_id,
                                    const RunParts& parts) {
  const auto run_key = find_run_key(database, run_id);
  if (!run_key) {
    return std::nullopt;
  }
  const ListReader list(database, *run_key);
  std::vector<ProfiledRun> runs;
  list.read(runs, "runs", "run_key", kRunColumns);
  ProfiledRun run = std::move(runs.at(0));
  list.read(run.tags, "tags", "position", kTagColumns);
  list.read(run.phases, "pipeline_phases", "position", kPhaseFields);
  list.read(run.sections, "pipeline_sections", "position", kSectionFields);
  if (parts.tokens) {
    list.read(run.tokens, "tokens", "position", kTokenFields);
  }
  if (parts.layers) {
    list.read(run.layers, "layer_metrics", "position", kLayerFields);
    list.read(run.components, "component_metrics", "position", kComponentFields);
  }
  if (parts.operations) {
    OperationTable& table = run.operation_table;
    list.read(run.operations, "operation_classes", "position", kOperationClassFields);
    list.read(table.operations, "operation_kinds", "operation", kOperationKindFields);
    if (parts.operation_events) {
      table.events = read_operation_events(database, *run_key, table.operations.size());
    }
  }
  if (parts.values) {
    list.read_values(run.values);
  }
  read_power(list, parts, run.power);
  list.read(run.warnings, "warnings", "position", kWarningFields);
  list.read(run.verdict_reasons, "verdict_reasons", "position", kVerdictReasonFields);
  if (run.capture) {
    list.read(run.capture->parts, "capture_parts", "position", kCapturePartFields);
    list.read(run.capture->occupancy, "capture_occupancy", "position", kCaptureOccupancyFields);
  }
  return run;
}

std::optional<RunPipeline> read_pipeline(SQLite::Database& database, std::string_view run_id) {
  const auto run_key = find_run_key(database, run_id);
  if (!run_key) {
    return std::nullopt;
  }
  const ListReader list(database, *run_key);
  RunPipeline pipeline;
  list.read(pipeline.phases, "pipeline_phases", "position", kPhaseFields);
  list.read(pipeline.sections, "pipeline_sections", "position", kSectionFields);
  return pipeline;
}

}  // namespace enprof
