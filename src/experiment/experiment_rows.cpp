#include "experiment/experiment_rows.hpp"

#include "experiment/point_summary.hpp"
#include "report/csv_table.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr double kMillion = 1e6;
constexpr double kJoulesPerWh = 3600.0;

/// The value that the engine had where the point leaves it to the engine; null where that is not
/// known.
Json setting_json(const ExperimentPoint& point, const Axis& axis, const ProfiledRun* run) {
  const int value = point.*axis.value;
  if (axis.key == "prompt_tokens" && !point.prompt_file.empty()) {
    return run != nullptr ? Json(run->totals.prompt_tokens) : Json(nullptr);
  }
  const bool is_chosen = axis.is_exact || value != axis.usual;
  if (run != nullptr && axis.key == "threads" && run->model.threads) {
    return *run->model.threads;
  }
  if (run != nullptr && axis.key == "gpu_layers" && run->model.gpu_layers) {
    return *run->model.gpu_layers;
  }
  if (!is_chosen) {
    return nullptr;
  }
  return axis.words.empty() ? Json(value) : Json(axis.text_of(value));
}

void add_facts(Json& row, const PointSummary& summary) {
  const ProfiledRun* const run = summary.example;
  row["model"] = run != nullptr ? enprof::text(run->model.name) : Json(nullptr);
  row["quantization"] = run != nullptr ? enprof::text(run->model.quantization) : Json(nullptr);
  row["engine"] = run != nullptr ? enprof::text(run->model.engine) : Json(nullptr);
  row["sensor"] = run != nullptr ? enprof::text(run->totals.figure.quality.sensor) : Json(nullptr);
}

void add_state(Json& row, const PointSummary& summary) {
  row["runs"] = summary.runs;
  row["runs_used"] = summary.used;
  row["runs_disturbed"] = summary.disturbed;
  row["runs_outlying"] = summary.outliers;
  row["verdict"] = summary.verdict ? Json(to_string(*summary.verdict)) : Json(nullptr);
  std::vector<std::string> reasons;
  reasons.reserve(summary.reasons.size());
  for (const VerdictReason& reason : summary.reasons) {
    reasons.push_back(reason.message);
  }
  row["verdict_reasons"] = enprof::text(fmt::format("{}", fmt::join(reasons, "; ")));
  const auto& energy = summary.mean(kOutputTokenMeasure);
  row["energy_method"] =
      energy ? Json(energy->is_estimate ? "estimated" : "measured") : Json(nullptr);
  row["error"] = summary.result->error ? Json(summary.result->error->message) : Json(nullptr);
}

void add_means(Json& row, const PointSummary& summary) {
  for (std::size_t index = 0; index < summary.means.size(); ++index) {
    const Measure& measure = measures()[index];
    const auto& mean = summary.means[index];
    const std::string unit = measure.json_unit.empty() ? "" : fmt::format("_{}", measure.json_unit);
    const std::string key{measure.json_key};
    row[key + unit] = mean ? Json(mean->mean * measure.json_factor) : Json(nullptr);
    row[fmt::format("{}_half_interval{}", key, unit)] =
        mean && mean->half ? Json(*mean->half * measure.json_factor) : Json(nullptr);
  }
}

void add_prices(Json& row, const PointSummary& summary) {
  const ProfiledRun* const run = summary.example;
  const std::optional<double> price =
      run != nullptr ? std::optional{run->totals.economics.price_usd_per_kwh} : std::nullopt;
  row["price_usd_per_kwh"] = nullable(price);
  for (const auto& [which, key] :
       {std::pair{"prompt", kInputTokenMeasure}, std::pair{"output", kOutputTokenMeasure}}) {
    const auto& mean = summary.mean(key);
    const std::string name = fmt::format("energy_per_million_{}_tokens", which);
    row[name + "_j"] = mean ? Json(mean->mean * kMillion) : Json(nullptr);
    row[name + "_wh"] = mean ? Json(mean->mean * kMillion / kJoulesPerWh) : Json(nullptr);
    row[fmt::format("cost_per_million_{}_tokens_usd", which)] =
        mean && price ? Json(mean->mean * kMillion / (1e3 * kJoulesPerWh) * *price) : Json(nullptr);
  }
}

void add_quality(Json& row, const PointSummary& summary) {
  const PointQuality quality = summary.result->quality.value_or(PointQuality{});
  row["perplexity"] = nullable(quality.perplexity);
  row["perplexity_standard_error"] = nullable(quality.perplexity_error);
  row["kl_divergence"] = nullable(quality.kl_divergence);
  row["kl_divergence_standard_error"] = nullable(quality.kl_divergence_error);
  row["quality_reference"] = enprof::text(quality.reference);
}

/// A row, whose members all points have in the same order. No member is an object or a list.
Json row_of(const ExperimentDesign& design, const PointSummary& summary) {
  const ExperimentPoint& point = summary.result->point;
  Json row;
  row["experiment"] = design.name;
  row["point"] = point.label;
  row["model_path"] = point.model;
  add_facts(row, summary);
  row["prompt_file"] = enprof::text(point.prompt_file);
  for (const Axis& axis : axes()) {
    row[axis.key] = setting_json(point, axis, summary.example);
  }
  add_state(row, summary);
  add_means(row, summary);
  add_prices(row, summary);
  row["memory_bytes"] =
      summary.example != nullptr ? nullable(memory_of(*summary.example)) : Json(nullptr);
  add_quality(row, summary);
  return row;
}

std::vector<Json> rows_of(const ExperimentDesign& design, const ExperimentOutcome& outcome) {
  std::vector<Json> rows;
  rows.reserve(outcome.points.size());
  for (const PointResult& point : outcome.points) {
    rows.push_back(row_of(design, summary_of(point)));
  }
  return rows;
}

/// Absent in one row, a value may be there in the next, so its key says what it is.
bool is_text(std::string_view key) {
  constexpr auto kTexts = std::to_array<std::string_view>(
      {"experiment", "point", "model_path", "model", "quantization", "engine", "sensor",
       "prompt_file", "cache_type_k", "cache_type_v", "flash_attention", "verdict",
       "verdict_reasons", "energy_method", "error", "quality_reference"});
  return std::ranges::find(kTexts, key) != kTexts.end();
}

std::string sql_value(const Json& value) {
  if (value.is_null()) {
    return "NULL";
  }
  if (!value.is_string()) {
    return value.dump();
  }
  std::string text = "'";
  for (const char character : value.get<std::string>()) {
    text += character;
    if (character == '\'') {
      text += '\'';
    }
  }
  return text + "'";
}

}  // namespace

std::string experiment_csv(const ExperimentDesign& design, const ExperimentOutcome& outcome) {
  CsvTable table;
  bool has_header = false;
  for (const Json& row : rows_of(design, outcome)) {
    if (!std::exchange(has_header, true)) {
      for (const auto& [key, value] : row.items()) {
        table.add(key);
      }
      table.row();
    }
    for (const auto& [key, value] : row.items()) {
      if (value.is_null()) {
        table.absent();
      } else if (value.is_string()) {
        table.add(value.get<std::string>());
      } else if (value.is_number_float()) {
        table.add(value.get<double>());
      } else {
        table.add(value.get<std::int64_t>());
      }
    }
    table.row();
  }
  return table.text();
}

std::string experiment_json(const ExperimentDesign& design, const ExperimentOutcome& outcome) {
  return indented(Json(rows_of(design, outcome))) + "\n";
}

std::string experiment_jsonl(const ExperimentDesign& design, const ExperimentOutcome& outcome) {
  std::string text;
  for (const Json& row : rows_of(design, outcome)) {
    text += on_one_line(row) + "\n";
  }
  return text;
}

std::string experiment_sql(const ExperimentDesign& design, const ExperimentOutcome& outcome) {
  std::string text;
  for (const Json& row : rows_of(design, outcome)) {
    std::vector<std::string> names;
    std::vector<std::string> columns;
    std::vector<std::string> values;
    for (const auto& [key, value] : row.items()) {
      names.push_back(key);
      columns.push_back(fmt::format("  {} {}", key, is_text(key) ? "TEXT" : "REAL"));
      values.push_back(sql_value(value));
    }
    if (text.empty()) {
      text = fmt::format("CREATE TABLE IF NOT EXISTS enprof_bench (\n{}\n);\n",
                         fmt::join(columns, ",\n"));
    }
    text += fmt::format("INSERT INTO enprof_bench ({}) VALUES ({});\n", fmt::join(names, ", "),
                        fmt::join(values, ", "));
  }
  return text;
}

}  // namespace enprof
