#include "report/repeats.hpp"

#include "base/printable.hpp"
#include "report/format.hpp"
#include "report/json_figures.hpp"
#include "report/report_page.hpp"
#include "report/spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

namespace enprof {
namespace {

using Align = TextTable::Align;

/// A value that each repeat has: its name for people, its key in JSON, its value there, and how
/// many of those make one SI unit.
struct Measure {
  std::string_view name;
  std::string_view key;
  std::string_view unit;
  double per_unit;
  std::optional<double> (*value)(const Repeat&);
  bool is_energy;
};

template <class Quantity>
std::optional<double> number(const std::optional<Quantity>& value) {
  return value ? std::optional{value->value() * 1e3} : std::nullopt;
}

constexpr std::array kMeasures{
    Measure{"time", "duration_ms", "s", 1e3,
            [](const Repeat& repeat) -> std::optional<double> { return to_ms(repeat.duration); },
            false},
    Measure{"total", "energy_mj", "J", 1e3,
            [](const Repeat& repeat) { return number(repeat.energy); }, true},
    Measure{"above idle", "dynamic_energy_mj", "J", 1e3,
            [](const Repeat& repeat) { return number(repeat.dynamic); }, true},
    Measure{"its processes", "process_dynamic_energy_mj", "J", 1e3,
            [](const Repeat& repeat) { return number(repeat.process_dynamic); }, true},
    Measure{"mean power", "mean_power_mw", "W", 1e3,
            [](const Repeat& repeat) { return number(repeat.mean_power); }, true},
    Measure{"peak power", "peak_power_mw", "W", 1e3,
            [](const Repeat& repeat) { return number(repeat.peak_power); }, true},
};

/// Of the repeats that were completed; absent for the others.
std::vector<std::optional<double>> values_of(const Measure& measure,
                                             const std::vector<Repeat>& repeats) {
  std::vector<std::optional<double>> values;
  values.reserve(repeats.size());
  for (const Repeat& repeat : repeats) {
    values.push_back(repeat.status == RunStatus::completed ? measure.value(repeat) : std::nullopt);
  }
  return values;
}

bool is_estimated(const std::vector<Repeat>& repeats) {
  return std::ranges::any_of(
      repeats, [](const Repeat& repeat) { return repeat.method == Method::estimated; });
}

/// "run 3 (0123abcd)"
std::string name_of(const std::vector<Repeat>& repeats, std::size_t index) {
  constexpr std::size_t kShortId = 8;
  return fmt::format("run {} ({})", index + 1, repeats[index].run_id.substr(0, kShortId));
}

}  // namespace

Repeat repeat_of(const ProfiledRun& run, int exit_code) {
  const Figure& figure = run.totals.figure;
  return {.run_id = run.run_id,
          .status = run.status,
          .ended = run.finish_reason,
          .exit_code = exit_code,
          .verdict = run.verdict,
          .method = figure.quality.method,
          .duration = figure.duration,
          .energy = figure.total,
          .dynamic = figure.dynamic,
          .process_dynamic = run.totals.process_dynamic,
          .mean_power = figure.mean_power,
          .peak_power = run.power.peak ? std::optional{run.power.peak->power} : std::nullopt};
}

std::string repeat_line(const Repeat& repeat) {
  const std::string_view mark = repeat.method == Method::estimated ? "~" : "";
  return join({format_duration(repeat.duration),
               repeat.energy ? fmt::format("{}{}", mark, format_energy(repeat.energy)) : "",
               repeat.mean_power ? fmt::format("{}{}", mark, format_power(repeat.mean_power)) : "",
               repeat.ended},
              " · ");
}

std::string repeats_report(const std::string& command, const std::vector<Repeat>& repeats,
                           std::size_t asked, const Terminal& terminal) {
  ReportPage page(terminal);
  constexpr std::size_t kLines = 4;
  page.line("Command", cut(printable(command), kLines * terminal.width));
  const auto completed =
      static_cast<std::size_t>(std::ranges::count(repeats, RunStatus::completed, &Repeat::status));
  page.line("Runs",
            fmt::format("{} of {}{}", repeats.size(), asked,
                        completed == repeats.size()
                            ? ""
                            : fmt::format("; {} completed, which the figures are of", completed)));
  for (std::size_t index = 0; index < repeats.size(); ++index) {
    if (repeats[index].status != RunStatus::completed) {
      page.line("", fmt::format("{}: {}", name_of(repeats, index), repeats[index].ended));
    }
  }
  std::optional<VerdictLevel> worst;
  for (const Repeat& repeat : repeats) {
    worst = std::max(worst, repeat.verdict);
  }
  if (worst) {
    page.line("Verdict", fmt::format("{}{}", words_of(*worst),
                                     *worst == VerdictLevel::quotable
                                         ? ""
                                         : "; enprof show RUN says why of each run"));
  }

  page.heading("Over the runs");
  TextTable table(
      {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right});
  constexpr std::size_t kLeast = 4;
  constexpr std::size_t kMost = 5;
  table.may_drop({kMost, kLeast});
  table.row({"", "mean", "± 95 %", "std dev", "least", "most"}, Style::dim);
  const std::string_view estimated = is_estimated(repeats) ? "~" : "";
  for (const Measure& measure : kMeasures) {
    const std::string_view mark = measure.is_energy ? estimated : "";
    const auto shown = [&](const std::optional<double>& value) {
      return value ? fmt::format("{}{}", mark, format_si(*value / measure.per_unit, measure.unit))
                   : std::string{kAbsent};
    };
    const auto spread = spread_of(values_of(measure, repeats));
    if (spread) {
      table.row({std::string{measure.name}, shown(spread->mean), shown(spread->half_interval),
                 shown(spread->standard_deviation), shown(spread->least), shown(spread->most)});
    } else {
      table.row({std::string{measure.name}, std::string{kAbsent}, std::string{kAbsent},
                 std::string{kAbsent}, std::string{kAbsent}, std::string{kAbsent}});
    }
  }
  page.table(table);

  std::string_view label = "Outliers";
  for (const Measure& measure : {kMeasures[0], kMeasures[1]}) {
    const auto values = values_of(measure, repeats);
    for (const Outlier& outlier : outliers_of(values)) {
      page.line(std::exchange(label, ""),
                fmt::format("{}: {} {}{}", name_of(repeats, outlier.index), measure.name,
                            format_si(*values[outlier.index] / measure.per_unit, measure.unit),
                            std::isfinite(outlier.distance)
                                ? fmt::format(", {:.1f} × as far from the median as is usual",
                                              outlier.distance)
                                : std::string{}));
    }
  }
  return page.move_text();
}

std::string repeats_json(const std::vector<std::string>& words, const std::vector<Repeat>& repeats,
                         std::size_t asked) {
  Json runs = Json::array();
  for (const Repeat& repeat : repeats) {
    Json run{{"run_id", repeat.run_id},
             {"status", to_string(repeat.status)},
             {"ended", repeat.ended},
             {"exit_code", repeat.exit_code},
             {"verdict", repeat.verdict ? Json(to_string(*repeat.verdict)) : Json(nullptr)},
             {"method", repeat.method ? Json(to_string(*repeat.method)) : Json(nullptr)}};
    for (const Measure& measure : kMeasures) {
      run[std::string{measure.key}] = nullable(measure.value(repeat));
    }
    runs.push_back(std::move(run));
  }
  Json statistics = Json::object();
  for (const Measure& measure : kMeasures) {
    const auto values = values_of(measure, repeats);
    Json entry(nullptr);
    if (const auto spread = spread_of(values)) {
      Json outliers = Json::array();
      for (const Outlier& outlier : outliers_of(values)) {
        outliers.push_back(repeats[outlier.index].run_id);
      }
      entry = {{"count", spread->count},
               {"mean", spread->mean},
               {"standard_deviation", nullable(spread->standard_deviation)},
               {"half_interval_95", nullable(spread->half_interval)},
               {"least", spread->least},
               {"most", spread->most},
               {"outliers", std::move(outliers)}};
    }
    statistics[std::string{measure.key}] = std::move(entry);
  }
  return indented(Json{{"command", words},
                       {"asked", asked},
                       {"statistics", std::move(statistics)},
                       {"runs", std::move(runs)}}) +
         "\n";
}

}  // namespace enprof
