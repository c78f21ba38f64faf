#include "experiment/analysis/analysis_json.hpp"

#include "experiment/analysis/model_work.hpp"
#include "report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

namespace enprof {
namespace {

struct Unit {
  std::string_view suffix{};
  double factor = 1.0;
};

Unit unit_of(CellKind kind) {
  switch (kind) {
    case CellKind::energy:
      return {"_mj", 1e3};
    case CellKind::power:
      return {"_mw", 1e3};
    case CellKind::time:
      return {"_ms", 1e3};
    case CellKind::share:
      return {"_pct", 100.0};
    default:
      return {"", 1.0};
  }
}

std::string_view name_of(CellKind kind) {
  constexpr std::array<std::string_view, 9> kNames{"text",  "energy", "power", "time",  "speed",
                                                   "share", "count",  "bytes", "number"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string key_of(const AnalysisColumn& column) {
  return fmt::format("{}{}", column.key, unit_of(column.kind).suffix);
}

std::string half_key_of(const AnalysisColumn& column) {
  return fmt::format("{}_half_interval{}", column.key, unit_of(column.kind).suffix);
}

Json value_of(const AnalysisCell& cell, CellKind kind) {
  if (const auto* const text = std::get_if<std::string>(&cell.value)) {
    return enprof::text(*text);
  }
  const auto* const number = std::get_if<double>(&cell.value);
  return number != nullptr ? Json(*number * unit_of(kind).factor) : Json(nullptr);
}

Json table_to_json(const AnalysisTable& table) {
  Json columns = Json::array();
  for (std::size_t index = 0; index < table.columns.size(); ++index) {
    const AnalysisColumn& column = table.columns[index];
    const bool has_half = std::ranges::any_of(
        table.rows, [&](const auto& row) { return row[index].half.has_value(); });
    columns.push_back({{"key", key_of(column)},
                       {"title", column.title},
                       {"kind", name_of(column.kind)},
                       {"half_key", has_half ? Json(half_key_of(column)) : Json(nullptr)}});
  }
  Json rows = Json::array();
  for (const std::vector<AnalysisCell>& cells : table.rows) {
    Json row = Json::object();
    for (std::size_t index = 0; index < table.columns.size(); ++index) {
      const AnalysisColumn& column = table.columns[index];
      row[key_of(column)] = value_of(cells[index], column.kind);
      if (!columns[index]["half_key"].is_null()) {
        const auto& half = cells[index].half;
        row[half_key_of(column)] = half ? Json(*half * unit_of(column.kind).factor) : Json(nullptr);
      }
    }
    rows.push_back(std::move(row));
  }
  return {{"title", table.title}, {"columns", std::move(columns)}, {"rows", std::move(rows)}};
}

Json axis_to_json(const ChartAxis& axis) {
  return {{"title", enprof::text(axis.title)},
          {"unit", enprof::text(axis.unit)},
          {"is_logarithmic", axis.is_logarithmic}};
}

Json chart_to_json(const Chart& chart) {
  Json series = Json::array();
  for (const ChartSeries& each : chart.series) {
    Json points = Json::array();
    for (const ChartPoint& point : each.points) {
      points.push_back({{"x", point.x},
                        {"y", point.y},
                        {"x_half_interval", nullable(point.x_half)},
                        {"y_half_interval", nullable(point.y_half)},
                        {"label", enprof::text(point.label)}});
    }
    series.push_back(
        {{"name", each.name}, {"kind", to_string(each.kind)}, {"points", std::move(points)}});
  }
  return {{"title", chart.title},
          {"x", axis_to_json(chart.x)},
          {"y", axis_to_json(chart.y)},
          {"categories", chart.categories},
          {"series", std::move(series)}};
}

void add_mean(Json& point, std::string_view key, CellKind kind,
              const std::optional<MeasuredValue>& mean) {
  const Unit unit = unit_of(kind);
  point[fmt::format("{}{}", key, unit.suffix)] =
      mean ? Json(mean->value * unit.factor) : Json(nullptr);
  const auto half = mean ? mean->half() : std::nullopt;
  point[fmt::format("{}_half_interval{}", key, unit.suffix)] =
      half ? Json(*half * unit.factor) : Json(nullptr);
}

void add_quality(Json& point, std::string_view key, const std::optional<QualityFigure>& figure) {
  point[std::string{key}] = figure ? Json(figure->value) : Json(nullptr);
  point[fmt::format("{}_standard_error", key)] = figure ? nullable(figure->error) : Json(nullptr);
}

Json time_of(const std::optional<WallTime>& time) {
  return time ? Json(time->time_since_epoch().count()) : Json(nullptr);
}

}  // namespace

Json analysis_to_json(const Analysis& analysis) {
  Json tables = Json::array();
  for (const AnalysisTable& table : analysis.tables) {
    tables.push_back(table_to_json(table));
  }
  Json charts = Json::array();
  for (const Chart& chart : analysis.charts) {
    charts.push_back(chart_to_json(chart));
  }
  return {{"name", analysis.name},       {"question", analysis.question},
          {"answers", analysis.answers}, {"lacks", analysis.lacks},
          {"tables", std::move(tables)}, {"charts", std::move(charts)},
          {"method", analysis.method}};
}

Json point_to_json(const PointData& point) {
  Json json{{"point", point.label},
            {"model", enprof::text(point.model.name)},
            {"architecture", enprof::text(point.model.architecture)},
            {"quantization", enprof::text(point.model.quantization)},
            {"parameters", nullable(point.model.parameters)},
            {"active_parameters", nullable(active_parameters(point.model))},
            {"bits_per_weight", nullable(bits_per_weight(point.model))},
            {"weight_bytes", nullable(point.model.weight_bytes)},
            {"layers", nullable(point.model.layers)},
            {"embedding_width", nullable(point.model.embedding_width)},
            {"experts", nullable(point.model.experts)},
            {"experts_used", nullable(point.model.experts_used)},
            {"prompt_tokens", point.prompt_tokens},
            {"output_tokens", point.output_tokens},
            {"filled_tokens", nullable(point.filled_tokens)},
            {"parallel", nullable(point.parallel)},
            {"micro_batch", nullable(point.micro_batch)},
            {"threads", nullable(point.model.threads)},
            {"runs", point.runs},
            {"runs_used", point.used},
            {"verdict", point.verdict ? Json(to_string(*point.verdict)) : Json(nullptr)},
            {"no_energy", enprof::text(point.no_energy)}};
  add_mean(json, "energy_per_output_token", CellKind::energy, point.output_energy);
  add_mean(json, "energy_per_input_token", CellKind::energy, point.input_energy);
  add_mean(json, "decode_tokens_per_second", CellKind::speed, point.output_speed);
  add_mean(json, "prefill_tokens_per_second", CellKind::speed, point.input_speed);
  add_mean(json, "time_to_first_token", CellKind::time, point.first_token_s);
  add_mean(json, "mean_power", CellKind::power, point.mean_power_w);
  add_quality(json, "perplexity", point.perplexity);
  add_quality(json, "kl_divergence", point.kl_divergence);
  Json ids = Json::array();
  for (const ProfiledRun& run : point.all_runs) {
    ids.push_back(run.run_id);
  }
  json["run_ids"] = std::move(ids);
  return json;
}

Json experiment_to_json(const ExperimentData& data, const std::vector<Analysis>& analyses) {
  Json points = Json::array();
  for (const PointData& point : data.points) {
    points.push_back(point_to_json(point));
  }
  Json list = Json::array();
  for (const Analysis& analysis : analyses) {
    list.push_back(analysis_to_json(analysis));
  }
  return {{"experiment", data.name},
          {"first_started_at_ms", time_of(data.first)},
          {"last_started_at_ms", time_of(data.last)},
          {"machines", data.machines},
          {"sensors", data.sensors},
          {"engines", data.engines},
          {"has_estimates", data.has_estimates},
          {"missing", data.missing},
          {"notes", data.notes},
          {"points", std::move(points)},
          {"analyses", std::move(list)}};
}

}  // namespace enprof
