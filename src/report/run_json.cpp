#include "report/run_json.hpp"

#include "report/component_section.hpp"
#include "report/json_figures.hpp"
#include "report/operation_json.hpp"
#include "report/power_json.hpp"
#include "report/value_section.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

Json model_json(const ModelFacts& model) {
  return {{"name", text(model.name)},
          {"path", text(model.path)},
          {"architecture", text(model.architecture)},
          {"quantization", text(model.quantization)},
          {"engine", text(model.engine)},
          {"parameters", nullable(model.parameters)},
          {"file_bytes", nullable(model.file_bytes)},
          {"weight_bytes", nullable(model.weight_bytes)},
          {"layers", nullable(model.layers)},
          {"embedding_width", nullable(model.embedding_width)},
          {"feed_forward_width", nullable(model.feed_forward_width)},
          {"heads", nullable(model.heads)},
          {"kv_heads", nullable(model.kv_heads)},
          {"head_width", nullable(model.head_width)},
          {"attention", text(model.attention())},
          {"experts", nullable(model.experts)},
          {"experts_used", nullable(model.experts_used)},
          {"vocabulary", nullable(model.vocabulary)},
          {"context_trained", nullable(model.context_trained)},
          {"context", nullable(model.context)},
          {"kv_cache_bytes", nullable(model.kv_cache_bytes)},
          {"kv_cache_used_bytes", nullable(model.kv_cache_used_bytes)},
          {"gpu_layers", nullable(model.gpu_layers)},
          {"threads", nullable(model.threads)},
          {"load_ms", ms(model.load_time)}};
}

Json totals_json(const Totals& totals) {
  return with_figure({{"process_dynamic_energy_mj", mj(totals.process_dynamic)},
                      {"prompt_tokens", totals.prompt_tokens},
                      {"output_tokens", totals.output_tokens},
                      {"time_to_first_token_ms", ms(totals.time_to_first_token)},
                      {"prefill_tokens_per_second", nullable(totals.prefill_tokens_per_second)},
                      {"decode_tokens_per_second", nullable(totals.decode_tokens_per_second)},
                      {"energy_per_input_token_mj", mj(totals.energy_per_input_token)},
                      {"energy_per_output_token_mj", mj(totals.energy_per_output_token)},
                      {"output_to_input_energy_ratio", nullable(totals.output_to_input_ratio)},
                      {"tokens_per_joule", nullable(totals.tokens_per_joule)},
                      {"edp_js", nullable(totals.edp_joule_seconds)},
                      {"edp_per_token_js", nullable(totals.edp_per_token_joule_seconds)},
                      {"price_usd_per_kwh", totals.economics.price_usd_per_kwh},
                      {"carbon_g_per_kwh", totals.economics.carbon_g_per_kwh},
                      {"cost_usd", nullable(totals.cost_usd)},
                      {"co2_g", nullable(totals.co2_grams)}},
                     totals.figure);
}

Json phases_json(const std::vector<PhaseFigure>& phases) {
  Json list = Json::array();
  for (const PhaseFigure& phase : phases) {
    list.push_back(with_figure(
        {{"phase", to_string(phase.phase)}, {"begin_ms", to_ms(phase.begin)}}, phase.figure));
  }
  return list;
}

Json sections_json(const std::vector<SectionFigure>& sections) {
  Json list = Json::array();
  for (const SectionFigure& section : sections) {
    list.push_back(with_figure({{"phase", to_string(section.phase)},
                                {"name", section.name},
                                {"count", section.count},
                                {"begin_ms", to_ms(section.begin)}},
                               section.figure));
  }
  return list;
}

Json token_json(const TokenFigure& token) {
  return with_figure({{"index", token.index},
                      {"text", token.text},
                      {"phase", to_string(token.phase)},
                      {"begin_ms", to_ms(token.begin)}},
                     token.figure);
}

Json warnings_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const Warning& warning : run.warnings) {
    list.push_back({{"component", warning.component},
                    {"code", warning.code},
                    {"message", warning.message},
                    {"hint", text(warning.hint)}});
  }
  return list;
}

/// What comes before the lists.
Json head_json(const ProfiledRun& run) {
  return {{"run_id", run.run_id},
          {"status", to_string(run.status)},
          {"started_at",
           fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(std::chrono::floor<std::chrono::seconds>(run.started_at)),
                       run.started_at.time_since_epoch().count() % 1000)},
          {"depth", to_string(run.depth)},
          {"experiment", text(run.experiment)},
          {"tags", run.tags},
          {"model", model_json(run.model)},
          {"prompt", run.prompt},
          {"response", run.response},
          {"finish_reason", text(run.finish_reason)},
          {"totals", totals_json(run.totals)},
          {"phases", phases_json(run.phases)},
          {"sections", sections_json(run.sections)}};
}

template <class Row>
Json list_json(const std::vector<Row>& rows, Json (*element)(const Row&)) {
  Json list = Json::array();
  for (const Row& row : rows) {
    list.push_back(element(row));
  }
  return list;
}

/// The members of an object, without its braces.
std::string members(const Json& object, std::size_t depth) {
  std::string text;
  append_indented(text, object, depth - 1);
  const std::size_t begin = text.find('\n') + 1;
  return text.substr(begin, text.rfind('\n') - begin);
}

}  // namespace

/// The document as steps, each of which is taken until it is done.
class RunJson::Impl {
 public:
  explicit Impl(std::unique_ptr<RunSource> source)
      : source_(std::move(source)), experts_(source_->head().model.experts) {
    write([this](std::string& text) { text += "{\n" + members(head_json(source_->head()), 1); });
    list("tokens", RunRows::tokens, 1, [](std::string& text, const ProfiledRun& run, auto row) {
      append_indented(text, token_json(run.tokens[row]), 2);
    });
    list("layers", RunRows::layers, 1, [](std::string& text, const ProfiledRun& run, auto row) {
      append_indented(text, layer_figure_json(run.layers[row]), 2);
    });
    list("components", RunRows::components, 1,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           coverage_.add(run.components[row]);
           append_indented(text, component_json(run.components[row]), 2);
         });
    list("operations", RunRows::operations, 1,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, operation_json(run.operations[row]), 2);
         });
    add_operation_table();
    add_values();
    add_power();
    write([this](std::string& text) {
      const ProfiledRun& run = source_->head();
      const Json tail{{"quality", quality_json(run.totals.figure.quality)},
                      {"warnings", warnings_json(run)}};
      text += ",\n" + members(tail, 1) + "\n}\n";
    });
  }

  Result<bool> next(std::string& text) {
    const std::size_t begin = text.size();
    while (step_ < steps_.size() && text.size() - begin < kPiece) {
      const auto done = steps_[step_](text);
      if (!done) {
        return std::unexpected(done.error());
      }
      step_ += *done ? 1 : 0;
    }
    return step_ < steps_.size();
  }

 private:
  using Step = std::function<Result<bool>(std::string&)>;  // whether it is done

  template <class Body>
  void write(Body body) {
    steps_.emplace_back([body = std::move(body)](std::string& text) -> Result<bool> {
      body(text);
      return true;
    });
  }

  /// A member of the document that is a list, `depth` levels deep. `element` writes one row.
  template <class Element>
  void list(std::string_view name, RunRows rows, std::size_t depth, Element element) {
    const std::string indent(2 * depth, ' ');
    steps_.emplace_back([this, rows, element = std::move(element), indent,
                         begin = fmt::format(",\n{}\"{}\": [", indent, name),
                         count = std::size_t{0}](std::string& text) mutable -> Result<bool> {
      const auto slice = source_->next(rows);
      if (!slice) {
        return std::unexpected(slice.error());
      }
      text += std::exchange(begin, {});
      if (slice->empty()) {
        text += count == 0 ? "]" : "\n" + indent + "]";
        return true;
      }
      for (std::size_t row = slice->begin; row < slice->end; ++row) {
        text += count++ == 0 ? "\n" : ",\n";
        text += indent;
        text += "  ";
        element(text, *slice->run, row);
      }
      return false;
    });
  }

  /// {coverage, operations[], event_columns[], events[]}, on one line for each operation and event:
  /// a million events fit into 60 MB.
  void add_operation_table() {
    write([this](std::string& text) {
      text += fmt::format(",\n  \"operation_table\": {{\n    \"coverage\": {}",
                          on_one_line(nullable(coverage_.share())));
    });
    list("operations", RunRows::operation_kinds, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           text += on_one_line(operation_kind_json(run.operation_table.operations[row]));
         });
    write([](std::string& text) {
      text += fmt::format(",\n    \"event_columns\": {}", kEventColumns);
    });
    list("events", RunRows::operation_events, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_event(text, run.operation_table.events[row]);
         });
    write([](std::string& text) { text += "\n  }"; });
  }

  void add_values() {
    write([this](std::string& text) {
      const SampledValues& values = source_->head().values;
      const Json facts{{"every", values.every},
                       {"passes", values.passes},
                       {"sparsity_threshold", values.sparsity_threshold}};
      text += ",\n  \"values\": {\n" + members(facts, 2);
    });
    list("activations", RunRows::activations, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, activation_json(run.values.activations[row]), 3);
         });
    list("attention", RunRows::attention, 2,
         [](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, attention_json(run.values.attention[row]), 3);
         });
    list("experts", RunRows::experts, 2,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           experts_.add(run.values.experts[row]);
           append_indented(text, expert_json(run.values.experts[row]), 3);
         });
    write([this](std::string& text) {
      Json last = Json::object();
      last["expert_balance"] = list_json(experts_.balances(), balance_json);
      text += ",\n" + members(last, 2) + "\n  }";
    });
  }

  void add_power() {
    write([this](std::string& text) {
      text += ",\n  \"power\": {\n" + members(power_json(source_->head().power), 2);
    });
    list("samples", RunRows::power_samples, 2,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, power_sample_json(source_->head().power, run.power.samples[row]),
                           3);
         });
    list("readings", RunRows::sensor_readings, 2,
         [this](std::string& text, const ProfiledRun& run, auto row) {
           append_indented(text, power_reading_json(source_->head().power, run.power.readings[row]),
                           3);
         });
    write([](std::string& text) { text += "\n  }"; });
  }

  std::unique_ptr<RunSource> source_;
  OperationCoverage coverage_;
  ExpertCount experts_;
  std::vector<Step> steps_;
  std::size_t step_ = 0;
};

RunJson::RunJson(std::unique_ptr<RunSource> source)
    : impl_(std::make_unique<Impl>(std::move(source))) {}
RunJson::~RunJson() = default;

Result<bool> RunJson::next(std::string& text) { return impl_->next(text); }

std::string run_to_json(const ProfiledRun& run) {
  std::string text;
  RunJson json(std::make_unique<RunInMemory>(run));
  while (json.next(text).value_or(false)) {  // in memory nothing can fail
  }
  return text;
}

std::string run_head_to_json(const ProfiledRun& run) {
  Json head = head_json(run);
  head["power"] = power_json(run.power);
  head["quality"] = quality_json(run.totals.figure.quality);
  head["warnings"] = warnings_json(run);
  return on_one_line(head) + "\n";
}

std::string run_sums_to_json(const ProfiledRun& run) {
  const SampledValues& values = run.values;
  Json sums = head_json(run);
  sums["layers"] = list_json(run.layers, layer_figure_json);
  sums["components"] = list_json(run.components, component_json);
  sums["operations"] = list_json(run.operations, operation_json);
  sums["values"] = {{"every", values.every},
                    {"passes", values.passes},
                    {"sparsity_threshold", values.sparsity_threshold},
                    {"activations", list_json(values.activations, activation_json)},
                    {"attention", list_json(values.attention, attention_json)},
                    {"experts", list_json(values.experts, expert_json)},
                    {"expert_balance", list_json(expert_balances(run), balance_json)}};
  Json power = power_json(run.power);
  power["samples"] = Json::array();
  power["readings"] = Json::array();
  for (const PowerSample& sample : run.power.samples) {
    power["samples"].push_back(power_sample_json(run.power, sample));
  }
  for (const PowerReading& reading : run.power.readings) {
    power["readings"].push_back(power_reading_json(run.power, reading));
  }
  sums["power"] = std::move(power);
  sums["quality"] = quality_json(run.totals.figure.quality);
  sums["warnings"] = warnings_json(run);
  return on_one_line(sums) + "\n";
}

std::string pipeline_to_json(const std::string& run_id, const RunPipeline& pipeline) {
  return on_one_line({{"run_id", run_id},
                      {"phases", phases_json(pipeline.phases)},
                      {"sections", sections_json(pipeline.sections)}}) +
         "\n";
}

}  // namespace enprof
