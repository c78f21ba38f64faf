#include "experiment/experiment_table.hpp"

#include "base/counted.hpp"
#include "experiment/comparable.hpp"
#include "experiment/comparison_report.hpp"
#include "experiment/interval.hpp"
#include "experiment/measure.hpp"
#include "report/csv_table.hpp"
#include "report/format.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr double kMillion = 1e6;
constexpr double kJoulesPerWh = 3600.0;

/// What the table says of a point.
struct Summary {
  const PointResult* result = nullptr;
  const ProfiledRun* example = nullptr;              // a run, for facts; null without one
  std::vector<std::optional<MeanInterval>> means{};  // in the order of measures()
  std::size_t runs = 0;
  std::size_t used = 0;
  std::size_t disturbed = 0;
  std::optional<VerdictLevel> verdict{};  // the worst of the runs used; of all if none is
  std::vector<VerdictReason> reasons{};   // each code once
};

bool is_used(bool of_power, const ProfiledRun& run) {
  return run.status == RunStatus::completed && refusal(of_power, run) == nullptr;
}

Summary summary_of(const PointResult& result) {
  Summary summary{.result = &result};
  std::optional<VerdictLevel> of_all;
  for (const ProfiledRun& run : result.runs) {
    if (run.status != RunStatus::completed) {
      continue;
    }
    summary.example = summary.example == nullptr ? &run : summary.example;
    ++summary.runs;
    summary.disturbed += is_worth_repeating(run) ? 1 : 0;
    const bool used = is_used(true, run);
    summary.used += used ? 1 : 0;
    if (run.verdict) {
      of_all = std::max(of_all.value_or(*run.verdict), *run.verdict);
      if (used) {
        summary.verdict = std::max(summary.verdict.value_or(*run.verdict), *run.verdict);
      }
    }
    for (const VerdictReason& reason : run.verdict_reasons) {
      if (std::ranges::find(summary.reasons, reason.code, &VerdictReason::code) ==
          summary.reasons.end()) {
        summary.reasons.push_back(reason);
      }
    }
  }
  summary.verdict = summary.used == 0 ? of_all : summary.verdict;
  for (const Measure& measure : measures()) {
    std::vector<double> values;
    for (const ProfiledRun& run : result.runs) {
      if (is_used(measure.of_power, run)) {
        if (const auto value = measure.of(run)) {
          values.push_back(*value);
        }
      }
    }
    summary.means.push_back(
        values.empty() ? std::nullopt : std::optional{mean_interval(values, kUsualConfidence)});
  }
  return summary;
}

std::vector<Summary> summaries_of(const ExperimentOutcome& outcome) {
  std::vector<Summary> result;
  result.reserve(outcome.points.size());
  for (const PointResult& point : outcome.points) {
    result.push_back(summary_of(point));
  }
  return result;
}

const std::optional<MeanInterval>& mean_of(const Summary& summary, std::string_view key) {
  const Measure* const measure = find_measure(key);
  return summary.means[static_cast<std::size_t>(measure - measures().data())];
}

// ---- Markdown -----------------------------------------------------------------------------------

std::string with_interval(std::string text, const MeanInterval& value) {
  if (value.half && value.mean > 0.0) {
    const double percent = 100.0 * *value.half / value.mean;
    text += percent < 0.01    ? " ± 0.01 %"  // rounded up
            : percent < 100.0 ? fmt::format(" ± {:.2g} %", percent)
                              : fmt::format(" ± {:.0f} %", percent);
  }
  return text;
}

std::string cell_of(const Summary& summary, std::string_view key) {
  const auto& value = mean_of(summary, key);
  if (!value) {
    return std::string{kAbsent};
  }
  const std::string_view unit = find_measure(key)->unit;
  return with_interval(
      unit == "tok/s" ? fmt::format("{:.4g}", value->mean) : format_si(value->mean, unit), *value);
}

std::string per_million(const Summary& summary, std::string_view key) {
  const auto& value = mean_of(summary, key);
  return value ? format_si(value->mean * kMillion / kJoulesPerWh, "Wh") : std::string{kAbsent};
}

std::string number_or_usual(int value, int usual) {
  return value == usual ? "auto" : fmt::format("{}", value);
}

std::string state_of(const Summary& summary) {
  if (summary.runs == 0) {
    return summary.result->error ? "failed" : "not measured";
  }
  std::string text{summary.verdict ? words_of(*summary.verdict) : kAbsent};
  if (summary.result->error) {
    text += ", then failed";
  }
  return text;
}

std::string count_of(const Summary& summary) {
  return summary.used == summary.runs ? fmt::format("{}", summary.runs)
                                      : fmt::format("{} of {}", summary.used, summary.runs);
}

struct Column {
  std::string_view title;
  bool is_number = true;
  int importance = 0;  // the least important is left out first; 0: never
  std::string (*cell)(const Summary&) = nullptr;
  /// A setting that all points share is told below the table.
  bool is_setting = false;
};

constexpr std::array kColumns{
    Column{.title = "model",
           .is_number = false,
           .cell =
               [](const Summary& summary) {
                 return std::filesystem::path{summary.result->point.model}.filename().string();
               }},
    Column{
        .title = "p",
        .cell = [](const Summary& s) { return fmt::format("{}", s.result->point.prompt_tokens); },
        .is_setting = true},
    Column{
        .title = "n",
        .cell = [](const Summary& s) { return fmt::format("{}", s.result->point.output_tokens); },
        .is_setting = true},
    Column{.title = "t",
           .cell = [](const Summary& s) { return number_or_usual(s.result->point.threads, 0); },
           .is_setting = true},
    Column{.title = "b",
           .cell = [](const Summary& s) { return number_or_usual(s.result->point.batch, 0); },
           .is_setting = true},
    Column{.title = "ub",
           .cell = [](const Summary& s) { return number_or_usual(s.result->point.micro_batch, 0); },
           .is_setting = true},
    Column{.title = "ngl",
           .cell = [](const Summary& s) { return number_or_usual(s.result->point.gpu_layers, -1); },
           .is_setting = true},
    Column{.title = "prompt token",
           .importance = 8,
           .cell = [](const Summary& s) { return cell_of(s, kInputTokenMeasure); }},
    Column{.title = "output token",
           .cell = [](const Summary& s) { return cell_of(s, kOutputTokenMeasure); }},
    Column{.title = "prompt tok/s",
           .importance = 5,
           .cell = [](const Summary& s) { return cell_of(s, kPrefillSpeedMeasure); }},
    Column{.title = "output tok/s",
           .importance = 7,
           .cell = [](const Summary& s) { return cell_of(s, kDecodeSpeedMeasure); }},
    Column{.title = "first token",
           .importance = 3,
           .cell = [](const Summary& s) { return cell_of(s, kFirstTokenMeasure); }},
    Column{.title = "mean power",
           .importance = 2,
           .cell = [](const Summary& s) { return cell_of(s, kMeanPowerMeasure); }},
    Column{.title = "million prompt tokens",
           .importance = 1,
           .cell = [](const Summary& s) { return per_million(s, kInputTokenMeasure); }},
    Column{.title = "million output tokens",
           .importance = 4,
           .cell = [](const Summary& s) { return per_million(s, kOutputTokenMeasure); }},
    Column{.title = "runs", .importance = 6, .cell = count_of},
    Column{.title = "verdict", .is_number = false, .cell = state_of},
};

struct ShownColumn {
  const Column* column = nullptr;
  std::vector<std::string> cells{};
  std::size_t width = 0;
};

std::string line_of(const std::vector<ShownColumn>& shown, std::size_t row) {
  std::string line = "|";
  for (const ShownColumn& each : shown) {
    const std::string& cell = each.cells[row];
    const std::string pad(each.width - display_width(cell), ' ');
    line += " " + (each.column->is_number ? pad + cell : cell + pad) + " |";
  }
  return line + "\n";
}

std::size_t width_of(const std::vector<ShownColumn>& shown) {
  std::size_t width = 1;
  for (const ShownColumn& each : shown) {
    width += each.width + 3;
  }
  return width;
}

/// What the lines of the table do not say.
std::string notes_of(const std::vector<Summary>& summaries) {
  std::string text;
  // By code, with the first message: messages have values, which differ.
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> reasons;
  for (const Summary& summary : summaries) {
    const std::string label = markdown_cell(summary.result->point.label);
    if (summary.result->error) {
      const Error& error = *summary.result->error;
      text += fmt::format("- {} is missing{}: {}{}{}\n", label,
                          summary.runs > 0 ? " in later rounds" : "", markdown_cell(error.message),
                          error.hint.empty() ? "" : ". ", markdown_cell(error.hint));
    }
    if (summary.disturbed > 0) {
      text += fmt::format("- {}: {} disturbed, and left out\n", label,
                          counted(summary.disturbed, "run"));
    }
    for (const VerdictReason& reason : summary.reasons) {
      auto& [message, labels] = reasons[reason.code];
      message = message.empty() ? reason.message : message;
      labels.push_back(label);
    }
  }
  for (const auto& [code, reason] : reasons) {
    const auto& [message, labels] = reason;
    text +=
        fmt::format("- {}: {}\n",
                    labels.size() == summaries.size() ? std::string{"all points"}
                                                      : fmt::format("{}", fmt::join(labels, ", ")),
                    markdown_cell(message));
  }
  return text;
}

// ---- rows for programs --------------------------------------------------------------------------

/// A row, whose members all points have in the same order. No member is an object or a list.
Json row_of(const ExperimentDesign& design, const Summary& summary) {
  const ExperimentPoint& point = summary.result->point;
  const auto setting = [](int value, int usual) {
    return value == usual ? Json(nullptr) : Json(value);
  };
  const ProfiledRun* const run = summary.example;
  Json row;
  row["experiment"] = design.name;
  row["point"] = point.label;
  row["model_path"] = point.model;
  row["model"] = run != nullptr ? enprof::text(run->model.name) : Json(nullptr);
  row["quantization"] = run != nullptr ? enprof::text(run->model.quantization) : Json(nullptr);
  row["engine"] = run != nullptr ? enprof::text(run->model.engine) : Json(nullptr);
  row["sensor"] = run != nullptr ? enprof::text(run->totals.figure.quality.sensor) : Json(nullptr);
  row["prompt_tokens"] = point.prompt_tokens;
  row["output_tokens"] = point.output_tokens;
  row["threads"] =
      run != nullptr && run->model.threads ? Json(*run->model.threads) : setting(point.threads, 0);
  row["batch"] = setting(point.batch, 0);
  row["micro_batch"] = setting(point.micro_batch, 0);
  row["gpu_layers"] = run != nullptr && run->model.gpu_layers ? Json(*run->model.gpu_layers)
                                                              : setting(point.gpu_layers, -1);
  row["runs"] = summary.runs;
  row["runs_used"] = summary.used;
  row["runs_disturbed"] = summary.disturbed;
  row["verdict"] = summary.verdict ? Json(to_string(*summary.verdict)) : Json(nullptr);
  std::vector<std::string> reasons;
  reasons.reserve(summary.reasons.size());
  for (const VerdictReason& reason : summary.reasons) {
    reasons.push_back(reason.message);
  }
  row["verdict_reasons"] = enprof::text(fmt::format("{}", fmt::join(reasons, "; ")));
  row["error"] = summary.result->error ? Json(summary.result->error->message) : Json(nullptr);
  for (std::size_t index = 0; index < summary.means.size(); ++index) {
    const Measure& measure = measures()[index];
    const auto& mean = summary.means[index];
    const std::string unit = measure.json_unit.empty() ? "" : fmt::format("_{}", measure.json_unit);
    const std::string key{measure.json_key};
    row[key + unit] = mean ? Json(mean->mean * measure.json_factor) : Json(nullptr);
    row[fmt::format("{}_half_interval{}", key, unit)] =
        mean && mean->half ? Json(*mean->half * measure.json_factor) : Json(nullptr);
  }
  for (const auto& [which, key] :
       {std::pair{"prompt", kInputTokenMeasure}, std::pair{"output", kOutputTokenMeasure}}) {
    const auto& mean = mean_of(summary, key);
    const std::string name = fmt::format("energy_per_million_{}_tokens", which);
    row[name + "_j"] = mean ? Json(mean->mean * kMillion) : Json(nullptr);
    row[name + "_wh"] = mean ? Json(mean->mean * kMillion / kJoulesPerWh) : Json(nullptr);
  }
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

std::string experiment_markdown(const ExperimentDesign& design, const ExperimentOutcome& outcome,
                                const Terminal& terminal) {
  const std::vector<Summary> summaries = summaries_of(outcome);
  std::vector<ShownColumn> shown;
  std::vector<std::string> shared;
  for (const Column& column : kColumns) {
    ShownColumn each{.column = &column, .cells = {std::string{column.title}}};
    for (const Summary& summary : summaries) {
      each.cells.push_back(markdown_cell(column.cell(summary)));
    }
    const bool is_shared =
        std::ranges::adjacent_find(each.cells.begin() + 1, each.cells.end(),
                                   std::ranges::not_equal_to{}) == each.cells.end();
    if (column.is_setting && is_shared && !summaries.empty()) {
      if (each.cells.back() != "auto") {
        shared.push_back(fmt::format("{} {}", column.title, each.cells.back()));
      }
      continue;
    }
    for (const std::string& cell : each.cells) {
      each.width = std::max(each.width, display_width(cell));
    }
    shown.push_back(std::move(each));
  }
  std::vector<std::string> dropped;
  while (terminal.width > 0 && width_of(shown) > terminal.width) {
    auto least = shown.end();
    for (auto each = shown.begin(); each != shown.end(); ++each) {
      if (each->column->importance > 0 &&
          (least == shown.end() || each->column->importance < least->column->importance)) {
        least = each;
      }
    }
    if (least == shown.end()) {
      break;
    }
    dropped.emplace_back(least->column->title);
    shown.erase(least);
  }
  std::string text = line_of(shown, 0) + "|";
  for (const ShownColumn& each : shown) {
    const std::string rule(each.width, '-');
    text += each.column->is_number ? " " + rule + ":|" : " " + rule + " |";
  }
  text += "\n";
  for (std::size_t row = 1; row <= summaries.size(); ++row) {
    text += line_of(shown, row);
  }
  const std::size_t width = terminal.width > 0 ? terminal.width : 100;
  text += "\n" +
          wrap(fmt::format("Experiment {}{}{}; ± is half the 95 % interval of the mean.",
                           markdown_cell(design.name), shared.empty() ? "" : ": ",
                           fmt::join(shared, ", ")),
               width, 0) +
          "\n";
  if (!dropped.empty()) {
    text += wrap(fmt::format("Not shown: {}. -o csv has all columns.", fmt::join(dropped, ", ")),
                 width, 0) +
            "\n";
  }
  const std::string notes = notes_of(summaries);
  for (std::size_t at = 0; at < notes.size();) {
    const std::size_t end = notes.find('\n', at);
    text += wrap(notes.substr(at, end - at), width, 2) + "\n";
    at = end + 1;
  }
  return text;
}

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
      // Absent in this row, a number may be there in the next: SQLite's types are of values.
      const bool is_text = key == "experiment" || key == "point" || key.starts_with("model") ||
                           key == "quantization" || key == "engine" || key == "sensor" ||
                           key.starts_with("verdict") || key == "error";
      names.push_back(key);
      columns.push_back(fmt::format("  {} {}", key, is_text ? "TEXT" : "REAL"));
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
