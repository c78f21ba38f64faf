#include "report/run_csv.hpp"

#include "report/csv_table.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace enprof {
namespace {

/// One row a fact: a run has more of them than a table wants columns.
CsvTable facts(const ProfiledRun& run) {
  CsvTable table("run", {"key", "value"});
  const auto text = [&](const char* key, std::string_view value) {
    table.row().add(key).text_or_absent(value);
  };
  const auto number = [&](const char* key, const auto& value) { table.row().add(key).add(value); };
  text("run_id", run.run_id);
  number("status", run.status);
  text("started_at",
       fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                   fmt::gmtime(std::chrono::floor<std::chrono::seconds>(run.started_at)),
                   run.started_at.time_since_epoch().count() % 1000));
  number("depth", run.depth);
  text("experiment", run.experiment);
  for (const std::string& tag : run.tags) {
    text("tag", tag);
  }
  text("prompt", run.prompt);
  text("response", run.response);
  text("finish_reason", run.finish_reason);

  const ModelFacts& model = run.model;
  text("model_name", model.name);
  text("model_path", model.path);
  text("architecture", model.architecture);
  text("quantization", model.quantization);
  text("engine", model.engine);
  number("parameters", model.parameters);
  number("file_bytes", model.file_bytes);
  number("weight_bytes", model.weight_bytes);
  number("layers", model.layers);
  number("embedding_width", model.embedding_width);
  number("feed_forward_width", model.feed_forward_width);
  number("heads", model.heads);
  number("kv_heads", model.kv_heads);
  number("head_width", model.head_width);
  text("attention", model.attention());
  number("experts", model.experts);
  number("experts_used", model.experts_used);
  number("vocabulary", model.vocabulary);
  number("context_trained", model.context_trained);
  number("context", model.context);
  number("kv_cache_bytes", model.kv_cache_bytes);
  number("kv_cache_used_bytes", model.kv_cache_used_bytes);
  number("gpu_layers", model.gpu_layers);
  number("threads", model.threads);
  number("load_ms", model.load_time);

  const Totals& totals = run.totals;
  const Quality& quality = totals.figure.quality;
  number("prompt_tokens", totals.prompt_tokens);
  number("output_tokens", totals.output_tokens);
  number("duration_ms", totals.figure.duration);
  number("energy_mj", totals.figure.total);
  number("baseline_energy_mj", totals.figure.baseline);
  number("dynamic_energy_mj", totals.figure.dynamic);
  number("process_dynamic_energy_mj", totals.process_dynamic);
  number("mean_power_mw", totals.figure.mean_power);
  text("sensor", quality.sensor);
  number("method", quality.method);
  number("coverage", quality.coverage);
  number("resolution", quality.resolution);
  number("standard_error_mj", quality.standard_error);
  number("dynamic_standard_error_mj", quality.dynamic_standard_error);
  number("foreign_cpu_share", quality.foreign_cpu_share);
  number("time_to_first_token_ms", totals.time_to_first_token);
  number("prefill_tokens_per_second", totals.prefill_tokens_per_second);
  number("decode_tokens_per_second", totals.decode_tokens_per_second);
  number("energy_per_input_token_mj", totals.energy_per_input_token);
  number("energy_per_output_token_mj", totals.energy_per_output_token);
  number("output_to_input_energy_ratio", totals.output_to_input_ratio);
  number("tokens_per_joule", totals.tokens_per_joule);
  number("edp_js", totals.edp_joule_seconds);
  number("edp_per_token_js", totals.edp_per_token_joule_seconds);
  number("price_usd_per_kwh", totals.economics.price_usd_per_kwh);
  number("carbon_g_per_kwh", totals.economics.carbon_g_per_kwh);
  number("cost_usd", totals.cost_usd);
  number("co2_g", totals.co2_grams);

  const PowerFigures& power = run.power;
  for (const std::string& source : power.sources) {
    text("power_source", source);
  }
  number("power_interval_ms", power.interval);
  if (power.baseline) {
    number("baseline_power_mw", power.baseline->power);
    number("baseline_spread_mw", power.baseline->spread);
    number("baseline_duration_ms", power.baseline->duration);
    number("baseline_windows", power.baseline->windows);
  }
  if (power.peak) {
    number("peak_power_mw", power.peak->power);
    number("peak_at_ms", power.peak->at);
    number("peak_window_ms", power.peak->window);
  }
  if (run.values.every > 0) {
    number("values_every", run.values.every);
    number("values_passes", run.values.passes);
    number("values_sparsity_threshold", run.values.sparsity_threshold);
  }
  return table;
}

CsvTable phases(const ProfiledRun& run) {
  CsvTable table = CsvTable::with_figure("phases", {"phase", "begin_ms"});
  for (const PhaseFigure& phase : run.phases) {
    table.row().add(phase.phase).add(phase.begin).figure(phase.figure);
  }
  return table;
}

CsvTable sections(const ProfiledRun& run) {
  CsvTable table = CsvTable::with_figure("sections", {"phase", "name", "count", "begin_ms"});
  for (const SectionFigure& section : run.sections) {
    table.row()
        .add(section.phase)
        .add(section.name)
        .add(section.count)
        .add(section.begin)
        .figure(section.figure);
  }
  return table;
}

CsvTable power_domains(const ProfiledRun& run) {
  CsvTable table =
      CsvTable::with_figure("power_domains", {"name", "kind", "scope", "device", "within", "source",
                                              "source_method", "period_ms", "stamp_error_ms",
                                              "idle_power_mw", "idle_spread_mw", "peak_power_mw"});
  const auto& domains = run.power.domains;
  for (std::size_t index = 0; index < domains.size(); ++index) {
    const Domain& domain = domains[index].domain;
    table.row().add(domain.name).add(domain.kind).add(domain.scope).text_or_absent(domain.device);
    table.text_or_absent(domain.parent ? domains[*domain.parent].domain.name : std::string{});
    table.text_or_absent(domain.source)
        .add(domain.method)
        .add(domain.period)
        .add(domain.stamp_error)
        .add(domains[index].idle_power)
        .add(domains[index].idle_spread);
    const bool at_peak = run.power.peak && index < run.power.peak->by_domain.size();
    table.add(at_peak ? run.power.peak->by_domain[index] : std::nullopt);
    table.figure(domains[index].figure);
  }
  return table;
}

CsvTable warnings(const ProfiledRun& run) {
  CsvTable table("warnings", {"component", "code", "message", "hint"});
  for (const Warning& warning : run.warnings) {
    table.row()
        .add(warning.component)
        .add(warning.code)
        .add(warning.message)
        .text_or_absent(warning.hint);
  }
  return table;
}

/// A list that may be long: what its table is called, and how its rows are added to it.
struct RowsTable {
  std::string_view name;
  RunRows list;
  CsvTable (*make)();
  /// `index` is the row's place in the whole list.
  void (*add)(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t index,
              const ProfiledRun& head);
};

CsvTable tokens() {
  return CsvTable::with_figure("tokens", {"index", "text", "phase", "begin_ms"});
}
void add_token(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
               const ProfiledRun&) {
  const TokenFigure& token = run.tokens[row];
  table.row()
      .add(token.index)
      .add(token.text)
      .add(token.phase)
      .add(token.begin)
      .figure(token.figure);
}

CsvTable layers() { return CsvTable::with_figure("layers", {"phase", "layer", "count"}); }
void add_layer(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
               const ProfiledRun&) {
  const LayerFigure& layer = run.layers[row];
  table.row().add(layer.phase).index(layer.layer).add(layer.count).figure(layer.figure);
}

CsvTable components() {
  return CsvTable::with_figure("components",
                               {"phase", "layer", "component", "count", "flops", "bytes"});
}
void add_component(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                   const ProfiledRun&) {
  const ComponentFigure& component = run.components[row];
  table.row()
      .add(component.phase)
      .index(component.layer)
      .add(component.component)
      .add(component.count)
      .add(component.flops)
      .add(component.bytes)
      .figure(component.figure);
}

CsvTable operations() {
  return CsvTable::with_figure("operations",
                               {"phase", "component", "op", "count", "flops", "bytes"});
}
void add_operation(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                   const ProfiledRun&) {
  const OperationFigure& operation = run.operations[row];
  table.row()
      .add(operation.phase)
      .add(operation.component)
      .add(operation.op)
      .add(operation.count)
      .add(operation.flops)
      .add(operation.bytes)
      .figure(operation.figure);
}

CsvTable operation_kinds() {
  return {"operation_kinds",
          {"operation", "layer", "component", "op", "name", "shape_0", "shape_1", "shape_2",
           "shape_3", "flops", "bytes"}};
}
void add_kind(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t index,
              const ProfiledRun&) {
  const OperationInfo& info = run.operation_table.operations[row];
  table.row().add(index).index(info.layer).add(info.component).add(info.op).add(info.name);
  for (const std::int64_t width : info.shape) {
    table.add(width);
  }
  table.add(info.flops).add(info.bytes);
}

CsvTable operation_events() {
  return {"operation_events",
          {"begin_ms", "duration_ms", "energy_mj", "operation", "token", "phase"}};
}
void add_event(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
               const ProfiledRun&) {
  const OperationEvent& event = run.operation_table.events[row];
  table.row()
      .add(event.begin)
      .add(Nanoseconds{event.duration_ns})
      .add(event.energy())
      .add(event.operation)
      .index(event.token)
      .add(event.phase);
}

CsvTable activations() {
  return {"activations",
          {"phase", "token", "layer", "component", "mean", "standard_deviation", "maximum",
           "sparsity", "kill_ratio", "variance_ratio"}};
}
void add_activation(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                    const ProfiledRun&) {
  const ActivationValues& values = run.values.activations[row];
  table.row()
      .add(values.phase)
      .index(values.token)
      .index(values.layer)
      .add(values.component)
      .add(values.mean)
      .add(values.standard_deviation)
      .add(values.maximum)
      .add(values.sparsity)
      .add(values.kill_ratio)
      .add(values.variance_ratio);
}

CsvTable attention() {
  return {"attention",
          {"phase", "token", "layer", "head", "entropy_nats", "maximum_weight", "sparsity"}};
}
void add_attention(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                   const ProfiledRun&) {
  const AttentionValues& values = run.values.attention[row];
  table.row()
      .add(values.phase)
      .index(values.token)
      .add(values.layer)
      .add(values.head)
      .add(values.entropy_nats)
      .add(values.maximum_weight)
      .add(values.sparsity);
}

/// One row an expert that was chosen.
CsvTable experts() {
  return {"experts",
          {"phase", "token", "layer", "rank", "expert", "weight", "routing_entropy_nats"}};
}
void add_experts(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                 const ProfiledRun&) {
  const ExpertActivation& routing = run.values.experts[row];
  for (std::size_t rank = 0; rank < routing.experts.size(); ++rank) {
    table.row()
        .add(routing.phase)
        .index(routing.token)
        .add(routing.layer)
        .add(rank)
        .add(routing.experts[rank])
        .add(static_cast<double>(routing.weights[rank]))
        .add(routing.routing_entropy_nats);
  }
}

CsvTable power_samples() {
  return {"power_samples", {"domain", "begin_ms", "end_ms", "energy_mj"}};
}
void add_sample(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                const ProfiledRun& head) {
  const PowerSample& sample = run.power.samples[row];
  table.row()
      .add(head.power.domains[sample.domain].domain.name)
      .add(sample.begin)
      .add(sample.end)
      .add(sample.energy);
}

CsvTable sensor_readings() { return {"sensor_readings", {"domain", "quantity", "at_ms", "value"}}; }
void add_reading(CsvTable& table, const ProfiledRun& run, std::size_t row, std::size_t,
                 const ProfiledRun& head) {
  const PowerReading& reading = run.power.readings[row];
  table.row()
      .add(head.power.domains[reading.domain].domain.name)
      .add(reading.quantity)
      .add(reading.at)
      .add(reading.value);
}

/// A list that is always short, or the facts.
struct HeadTable {
  std::string_view name;
  CsvTable (*make)(const ProfiledRun&);
};
constexpr std::array kHeadTables{
    HeadTable{"run", facts}, HeadTable{"phases", phases}, HeadTable{"sections", sections},
    HeadTable{"power_domains", power_domains}, HeadTable{"warnings", warnings}};
constexpr std::array kRowsTables{
    RowsTable{"tokens", RunRows::tokens, tokens, add_token},
    RowsTable{"layers", RunRows::layers, layers, add_layer},
    RowsTable{"components", RunRows::components, components, add_component},
    RowsTable{"operations", RunRows::operations, operations, add_operation},
    RowsTable{"operation_kinds", RunRows::operation_kinds, operation_kinds, add_kind},
    RowsTable{"operation_events", RunRows::operation_events, operation_events, add_event},
    RowsTable{"activations", RunRows::activations, activations, add_activation},
    RowsTable{"attention", RunRows::attention, attention, add_attention},
    RowsTable{"experts", RunRows::experts, experts, add_experts},
    RowsTable{"power_samples", RunRows::power_samples, power_samples, add_sample},
    RowsTable{"sensor_readings", RunRows::sensor_readings, sensor_readings, add_reading}};

constexpr std::array<std::string_view, 16> kNames{
    "run",        "phases",     "sections",        "tokens",           "layers",
    "components", "operations", "operation_kinds", "operation_events", "activations",
    "attention",  "experts",    "power_domains",   "power_samples",    "sensor_readings",
    "warnings"};
static_assert(kNames.size() == kHeadTables.size() + kRowsTables.size());

}  // namespace

std::span<const std::string_view> csv_table_names() { return kNames; }

/// The rows of one list, page by page.
class RunCsv::Rows {
 public:
  explicit Rows(const RowsTable& table) : table_(&table), csv_(table.make()) {}

  Result<bool> next(RunSource& source, std::string& text) {
    const auto slice = source.next(table_->list);
    if (!slice) {
      return std::unexpected(slice.error());
    }
    for (std::size_t row = slice->begin; row < slice->end; ++row) {
      table_->add(csv_, *slice->run, row, index_++, source.head());
    }
    if (slice->empty()) {
      csv_.finish();
    }
    text += csv_.take_text();
    return !slice->empty();
  }

 private:
  const RowsTable* table_;
  CsvTable csv_;
  std::size_t index_ = 0;
};

RunCsv::RunCsv(RunSource& source, std::string_view table) : source_(source), table_(table) {
  if (const auto* const found = std::ranges::find(kRowsTables, table, &RowsTable::name);
      found != kRowsTables.end()) {
    rows_ = std::make_unique<Rows>(*found);
  }
}
RunCsv::~RunCsv() = default;

Result<bool> RunCsv::next(std::string& text) {
  if (!rows_) {
    const auto* const found = std::ranges::find(kHeadTables, table_, &HeadTable::name);
    CsvTable table = found->make(source_.head());
    table.finish();
    text += table.take_text();
    return false;
  }
  const std::size_t begin = text.size();
  Result<bool> more = true;
  while (more && *more && text.size() - begin < kPiece) {
    more = rows_->next(source_, text);
  }
  return more;
}

}  // namespace enprof
