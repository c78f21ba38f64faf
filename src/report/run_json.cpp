#include "report/run_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace enprof {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json mj(const std::optional<Joules>& energy) {
  return energy ? Json(to_mj(*energy)) : Json(nullptr);
}
Json mw(const std::optional<Watts>& power) { return power ? Json(to_mw(*power)) : Json(nullptr); }
Json ms(const std::optional<Nanoseconds>& duration) {
  return duration ? Json(to_ms(*duration)) : Json(nullptr);
}
Json text(std::string_view value) { return value.empty() ? Json(nullptr) : Json(value); }

Json quality_json(const Quality& quality) {
  return {{"sensor", text(quality.sensor)},
          {"method", quality.method ? Json(to_string(*quality.method)) : Json(nullptr)},
          {"coverage", quality.coverage},
          {"resolution", nullable(quality.resolution)},
          {"standard_error_mj", mj(quality.standard_error)},
          {"foreign_cpu_share", nullable(quality.foreign_cpu_share)}};
}

/// The keys of a figure, put beside those of what it is the figure of.
Json with_figure(Json object, const Figure& figure) {
  object["duration_ms"] = to_ms(figure.duration);
  object["energy_mj"] = mj(figure.total);
  object["baseline_energy_mj"] = mj(figure.baseline);
  object["dynamic_energy_mj"] = mj(figure.dynamic);
  object["mean_power_mw"] = mw(figure.mean_power);
  object["quality"] = quality_json(figure.quality);
  return object;
}

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
  return with_figure({{"prompt_tokens", totals.prompt_tokens},
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

Json phases_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const PhaseFigure& phase : run.phases) {
    list.push_back(with_figure(
        {{"phase", to_string(phase.phase)}, {"begin_ms", to_ms(phase.begin)}}, phase.figure));
  }
  return list;
}

Json sections_json(const ProfiledRun& run) {
  Json list = Json::array();
  for (const SectionFigure& section : run.sections) {
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

Json domains_json(const PowerFigures& power) {
  Json list = Json::array();
  for (const DomainFigure& figure : power.domains) {
    const Domain& domain = figure.domain;
    list.push_back(
        with_figure({{"name", domain.name},
                     {"kind", to_string(domain.kind)},
                     {"source", domain.source},
                     {"method", to_string(domain.method)},
                     {"within", domain.parent ? Json(power.domains[*domain.parent].domain.name)
                                              : Json(nullptr)},
                     {"period_ms", to_ms(domain.period)},
                     {"stamp_error_ms", to_ms(domain.stamp_error)},
                     {"idle_power_mw", mw(figure.idle_power)},
                     {"idle_spread_mw", mw(figure.idle_spread)}},
                    figure.figure));
  }
  return list;
}

Json power_json(const PowerFigures& power) {
  Json baseline;
  if (power.baseline) {
    baseline = {{"power_mw", to_mw(power.baseline->power)},
                {"spread_mw", mw(power.baseline->spread)},
                {"duration_ms", to_ms(power.baseline->duration)},
                {"windows", power.baseline->windows}};
  }
  Json peak;
  if (power.peak) {
    Json by_domain = Json::object();
    for (std::size_t index = 0; index < power.peak->by_domain.size(); ++index) {
      by_domain[power.domains[index].domain.name] = mw(power.peak->by_domain[index]);
    }
    peak = {{"power_mw", to_mw(power.peak->power)},
            {"at_ms", to_ms(power.peak->at)},
            {"window_ms", to_ms(power.peak->window)},
            {"domains_mw", std::move(by_domain)}};
  }
  Json samples = Json::array();
  for (const PowerSample& sample : power.samples) {
    samples.push_back({{"domain", power.domains[sample.domain].domain.name},
                       {"begin_ms", to_ms(sample.begin)},
                       {"end_ms", to_ms(sample.end)},
                       {"energy_mj", to_mj(sample.energy)}});
  }
  return {{"sources", power.sources},       {"interval_ms", to_ms(power.interval)},
          {"domains", domains_json(power)}, {"baseline", std::move(baseline)},
          {"peak", std::move(peak)},        {"samples", std::move(samples)}};
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

}  // namespace

std::string run_to_json(const ProfiledRun& run) {
  const Json object{
      {"run_id", run.run_id},
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
      {"phases", phases_json(run)},
      {"sections", sections_json(run)},
      {"tokens", tokens_json(run)},
      // Filled by the deeper depths; there from the first day so that readers need no two shapes.
      {"layers", Json::array()},
      {"components", Json::array()},
      {"operations", Json::array()},
      {"power", power_json(run.power)},
      {"quality", quality_json(run.totals.figure.quality)},
      {"warnings", warnings_json(run)}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace enprof
