#include "experiment/experiment_table.hpp"

#include "base/counted.hpp"
#include "experiment/comparison_report.hpp"
#include "experiment/point_summary.hpp"
#include "report/format.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr double kMillion = 1e6;
constexpr double kJoulesPerWh = 3600.0;
constexpr std::string_view kEstimateMark = "~";

std::vector<PointSummary> summaries_of(const ExperimentOutcome& outcome) {
  std::vector<PointSummary> result;
  result.reserve(outcome.points.size());
  for (const PointResult& point : outcome.points) {
    result.push_back(summary_of(point));
  }
  return result;
}

/// The shares of an interval, with as many digits as they mean: "± 1.2 %".
std::string interval_text(double mean, const std::optional<double>& half) {
  if (!half || mean <= 0.0) {
    return {};
  }
  const double percent = 100.0 * *half / mean;
  return percent < 0.01    ? " ± 0.01 %"  // rounded up
         : percent < 100.0 ? fmt::format(" ± {:.2g} %", percent)
                           : fmt::format(" ± {:.0f} %", percent);
}

std::string cell_of(const PointSummary& summary, std::string_view key) {
  const auto& value = summary.mean(key);
  if (!value) {
    return std::string{kAbsent};
  }
  const std::string_view unit = find_measure(key)->unit;
  return fmt::format(
      "{}{}{}", value->is_estimate ? kEstimateMark : "",
      unit == "tok/s" ? fmt::format("{:.4g}", value->mean) : format_si(value->mean, unit),
      interval_text(value->mean, value->half));
}

double price_of(const PointSummary& summary) {
  return summary.example != nullptr ? summary.example->totals.economics.price_usd_per_kwh : 0.0;
}

/// Energy and price of a million tokens; their interval is that of one token.
std::string million_cell(const PointSummary& summary, std::string_view key) {
  const auto& value = summary.mean(key);
  if (!value) {
    return std::string{kAbsent};
  }
  const double joules = value->mean * kMillion;
  return fmt::format("{}{} · {}", value->is_estimate ? kEstimateMark : "",
                     format_si(joules / kJoulesPerWh, "Wh"),
                     format_usd(joules / (1e3 * kJoulesPerWh) * price_of(summary)));
}

std::string memory_cell(const PointSummary& summary) {
  const auto bytes = summary.example != nullptr ? memory_of(*summary.example) : std::nullopt;
  return bytes ? format_si(static_cast<double>(*bytes), "B") : std::string{kAbsent};
}

std::string quality_cell(const std::optional<double>& value, const std::optional<double>& error) {
  constexpr double kCoverage = 1.96;  // many tokens: the normal distribution's
  return !value ? std::string{kAbsent}
                : fmt::format("{:.4g}{}", *value,
                              error ? fmt::format(" ± {:.2g}", kCoverage * *error) : "");
}

std::string perplexity_cell(const PointSummary& summary) {
  const auto& quality = summary.result->quality;
  return quality ? quality_cell(quality->perplexity, quality->perplexity_error)
                 : std::string{kAbsent};
}

std::string divergence_cell(const PointSummary& summary) {
  const auto& quality = summary.result->quality;
  return quality ? quality_cell(quality->kl_divergence, quality->kl_divergence_error)
                 : std::string{kAbsent};
}

std::string prompt_cell(const PointSummary& summary) {
  const ExperimentPoint& point = summary.result->point;
  return point.prompt_file.empty() ? fmt::format("{}", point.prompt_tokens)
                                   : std::filesystem::path{point.prompt_file}.filename().string();
}

std::string setting_cell(const PointSummary& summary, const Axis& axis) {
  const int value = summary.result->point.*axis.value;
  const bool is_engines_choice = value == axis.usual && !axis.is_exact;
  return is_engines_choice ? "auto" : axis.text_of(value);
}

std::string state_of(const PointSummary& summary) {
  if (summary.runs == 0) {
    return summary.result->error ? "failed" : "not measured";
  }
  std::string text{summary.verdict ? words_of(*summary.verdict) : kAbsent};
  if (summary.result->error) {
    text += ", then failed";
  }
  return text;
}

std::string count_of(const PointSummary& summary) {
  return summary.used == summary.runs ? fmt::format("{}", summary.runs)
                                      : fmt::format("{} of {}", summary.used, summary.runs);
}

struct Column {
  std::string title;
  std::function<std::string(const PointSummary&)> cell;
  bool is_number = true;
  int importance = 0;  // the least important is left out first; 0: never
  /// A setting that all points share is told below the table.
  bool is_setting = false;
  /// Not shown if no point has a value.
  bool is_rare = false;
};

Column measure_column(std::string title, std::string_view key, int importance) {
  return {.title = std::move(title),
          .cell = [key](const PointSummary& summary) { return cell_of(summary, key); },
          .importance = importance};
}

std::vector<Column> columns() {
  std::vector<Column> result;
  result.push_back(
      {.title = "model",
       .cell =
           [](const PointSummary& summary) {
             return std::filesystem::path{summary.result->point.model}.filename().string();
           },
       .is_number = false});
  result.push_back({.title = "p", .cell = prompt_cell, .is_setting = true});
  for (const Axis& axis : axes()) {
    if (axis.key != "prompt_tokens") {
      result.push_back({.title = std::string{axis.label},
                        .cell = [&axis](const PointSummary& s) { return setting_cell(s, axis); },
                        .is_setting = true});
    }
  }
  result.push_back(measure_column("prompt token", kInputTokenMeasure, 12));
  result.push_back(measure_column("output token", kOutputTokenMeasure, 0));
  result.push_back(measure_column("prompt tok/s", kPrefillSpeedMeasure, 8));
  result.push_back(measure_column("output tok/s", kDecodeSpeedMeasure, 11));
  result.push_back(measure_column("first token", kFirstTokenMeasure, 6));
  result.push_back(measure_column("mean power", kMeanPowerMeasure, 5));
  result.push_back(measure_column("energy × delay", kEdpMeasure, 3));
  result.push_back({.title = "memory", .cell = memory_cell, .importance = 4, .is_rare = true});
  result.push_back(
      {.title = "million prompt tokens",
       .cell = [](const PointSummary& s) { return million_cell(s, kInputTokenMeasure); },
       .importance = 1});
  result.push_back(
      {.title = "million output tokens",
       .cell = [](const PointSummary& s) { return million_cell(s, kOutputTokenMeasure); },
       .importance = 7});
  result.push_back(
      {.title = "perplexity", .cell = perplexity_cell, .importance = 10, .is_rare = true});
  result.push_back(
      {.title = "KL divergence", .cell = divergence_cell, .importance = 9, .is_rare = true});
  result.push_back({.title = "runs", .cell = count_of, .importance = 9});
  result.push_back({.title = "verdict", .cell = state_of, .is_number = false});
  return result;
}

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

/// Names a few points; of many their number says more.
std::string points_text(const std::vector<std::string>& labels, std::size_t all) {
  constexpr std::size_t kNamed = 4;
  if (labels.size() == all) {
    return "all points";
  }
  return labels.size() > kNamed ? fmt::format("{} of {} points", labels.size(), all)
                                : fmt::format("{}", fmt::join(labels, ", "));
}

/// What the lines of the table do not say.
std::string notes_of(const std::vector<PointSummary>& summaries) {
  std::string text;
  // By code, with the first message: messages have values, which differ.
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> reasons;
  for (const PointSummary& summary : summaries) {
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
    if (summary.outliers > 0) {
      text +=
          fmt::format("- {}: {} unlike the others although nothing disturbed it, and left out\n",
                      label, counted(summary.outliers, "run"));
    }
    if (summary.runs > 0 && !summary.has_figures()) {
      text += fmt::format("- {}: no run can be used, so nothing is known of it\n", label);
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
        fmt::format("- {}: {}\n", points_text(labels, summaries.size()), markdown_cell(message));
  }
  return text;
}

/// The explanation of what is in the cells.
std::string legend_of(const ExperimentDesign& design, const std::vector<PointSummary>& summaries,
                      const std::vector<std::string>& shared) {
  const bool has_estimate = std::ranges::any_of(summaries, [](const PointSummary& summary) {
    const auto& energy = summary.mean(kOutputTokenMeasure);
    return energy && energy->is_estimate;
  });
  const auto priced = std::ranges::find_if(
      summaries, [](const PointSummary& summary) { return summary.example != nullptr; });
  std::string text =
      fmt::format("Experiment {}{}{}; ± is half the 95 % interval of the mean.",
                  markdown_cell(design.name), shared.empty() ? "" : ": ", fmt::join(shared, ", "));
  if (has_estimate) {
    text += fmt::format(" {} is an estimate from load and rated power, not a measurement.",
                        kEstimateMark);
  }
  if (priced != summaries.end()) {
    text += fmt::format(" Prices are at {:g} USD/kWh.", price_of(*priced));
  }
  return text;
}

}  // namespace

std::string experiment_markdown(const ExperimentDesign& design, const ExperimentOutcome& outcome,
                                const Terminal& terminal) {
  const std::vector<PointSummary> summaries = summaries_of(outcome);
  const std::vector<Column> all = columns();
  std::vector<ShownColumn> shown;
  std::vector<std::string> shared;
  for (const Column& column : all) {
    ShownColumn each{.column = &column, .cells = {column.title}};
    for (const PointSummary& summary : summaries) {
      each.cells.push_back(markdown_cell(column.cell(summary)));
    }
    const bool is_shared =
        std::ranges::adjacent_find(each.cells.begin() + 1, each.cells.end(),
                                   std::ranges::not_equal_to{}) == each.cells.end();
    if (column.is_setting && is_shared && !summaries.empty()) {
      const bool is_usual = (column.title == "np" && each.cells.back() == "1") ||
                            (column.title == "d" && each.cells.back() == "0");
      if (each.cells.back() != "auto" && !is_usual) {
        shared.push_back(fmt::format("{} {}", column.title, each.cells.back()));
      }
      continue;
    }
    if (column.is_rare && is_shared && each.cells.back() == kAbsent) {
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
  text += "\n" + wrap(legend_of(design, summaries, shared), width, 0) + "\n";
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

}  // namespace enprof
