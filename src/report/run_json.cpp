#include "report/run_json.hpp"

#include "base/printable.hpp"
#include "report/json_figures.hpp"
#include "report/operation_json.hpp"
#include "report/power_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

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

Json tokens_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const TokenFigure& token : run.tokens) {
    list.push_back(with_figure({{"index", token.index},
                                {"text", token.text},
                                {"phase", to_string(token.phase)},
                                {"begin_ms", to_ms(token.begin)}},
                               token.figure));
  }
  return list;
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

void add_sums(Json& json, const ProfiledRun& run) {
  json["layers"] = layers_json(run);
  json["components"] = components_json(run);
  json["operations"] = operations_json(run);
}

void add_tail(Json& json, const ProfiledRun& run) {
  json["power"] = power_json(run.power);
  json["quality"] = quality_json(run.totals.figure.quality);
  json["warnings"] = warnings_json(run);
}

/// Text that is not UTF-8 has its bad bytes replaced.
std::string dump(const Json& json, int indent) {
  return printable_json(json.dump(indent, ' ', false, Json::error_handler_t::replace));
}

/// An object without its braces, indented.
std::string members(const Json& object) {
  const std::string text = dump(object, 2);
  return text.substr(2, text.size() - 4);  // "{\n" and "\n}"
}

constexpr int kOneLine = -1;

}  // namespace

std::string run_to_json(const ProfiledRun& run) {
  Json head = head_json(run);
  head["tokens"] = tokens_json(run);
  add_sums(head, run);
  Json tail{{"values", values_json(run)}};
  add_tail(tail, run);
  // The table may have millions of rows: it is written as text, not built as a tree.
  return "{\n" + members(head) + ",\n  \"operation_table\": " + operation_table_text(run) + ",\n" +
         members(tail) + "\n}\n";
}

std::string run_head_to_json(const ProfiledRun& run) {
  Json head = head_json(run);
  add_tail(head, run);
  head["power"].erase("samples");
  head["power"].erase("readings");
  return dump(head, kOneLine) + "\n";
}

std::string run_sums_to_json(const ProfiledRun& run) {
  Json sums = head_json(run);
  add_sums(sums, run);
  sums["values"] = values_json(run);
  add_tail(sums, run);
  return dump(sums, kOneLine) + "\n";
}

std::string pipeline_to_json(const std::string& run_id, const RunPipeline& pipeline) {
  return dump({{"run_id", run_id},
               {"phases", phases_json(pipeline.phases)},
               {"sections", sections_json(pipeline.sections)}},
              kOneLine) +
         "\n";
}

}  // namespace enprof
