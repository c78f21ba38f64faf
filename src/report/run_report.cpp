#include "report/run_report.hpp"

#include "base/counted.hpp"
#include "base/format_bytes.hpp"
#include "base/printable.hpp"
#include "model/command_engine.hpp"
#include "report/column_unit.hpp"
#include "report/component_section.hpp"
#include "report/format.hpp"
#include "report/report_page.hpp"
#include "report/roofline_section.hpp"
#include "report/value_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using Align = TextTable::Align;

constexpr std::size_t kCostliestTokens = 5;
constexpr std::size_t kWarningIndent = 4;
/// Time outside all sections is shown if it is at least this share of its phase.
constexpr double kSelfShown = 0.01;

class RunReport {
 public:
  RunReport(const ProfiledRun& run, const Terminal& terminal) : run_(run), page_(terminal) {}

  std::string text() {
    headline();
    request();
    verdict();
    if (run_.status == RunStatus::running) {
      page_.line(is_command() ? "Command" : "Prompt",
                 is_command() ? command_line() : quote(run_.prompt, page_.terminal().width / 2));
      page_.line("", "It is still running: its figures appear when it has ended");
      return page_.move_text();
    }
    if (is_command()) {
      command();
    } else {
      model();
    }
    power();
    calibration();
    if (!is_command()) {
      texts();
    }
    energies();
    phases();
    write_components(page_, run_);
    write_roofline(page_, run_);
    write_values(page_, run_);
    tokens();
    warnings();
    return page_.move_text();
  }

 private:
  [[nodiscard]] bool is_command() const { return enprof::is_command(run_.model.engine); }
  /// As it was typed, but on one line, and not much longer than a few.
  [[nodiscard]] std::string command_line() const {
    constexpr std::size_t kLines = 4;
    return cut(printable(run_.prompt), kLines * page_.terminal().width);
  }

  void headline() {
    page_.line("Run", join({run_.run_id, std::string{to_string(run_.status)},
                            format_wall_time(run_.started_at),
                            is_command() ? "" : std::string{to_string(run_.depth)}},
                           " · "));
    if (!run_.experiment.empty() || !run_.tags.empty()) {
      page_.line("", join({run_.experiment.empty() ? "" : "experiment " + run_.experiment,
                           run_.tags.empty() ? "" : "tags " + join(run_.tags, ", ")},
                          " · "));
    }
  }

  /// What a request of a capture has beside what every run has.
  void request() {
    if (!run_.request) {
      return;
    }
    const RequestFigures& request = *run_.request;
    page_.line("Request", join({fmt::format("{} of capture {}", request.number, run_.capture_id),
                                "began at " + format_duration(request.begin),
                                request.waiting ? "waited " + format_duration(*request.waiting)
                                                : std::string{"waiting is not known"},
                                fmt::format("sequence {}", request.sequence)},
                               " · "));
    page_.line(
        "", join({request.mean_sequences
                      ? fmt::format("{:.1f} sequences in its passes", *request.mean_sequences)
                      : std::string{},
                  request.marginal ? "added " + energy(request.marginal) : std::string{},
                  plus_minus(request.marginal_uncertainty),
                  request.idle_share ? "its part of the idle energy " + energy(request.idle_share)
                                     : std::string{},
                  request.cached_tokens > 0 ? counted(request.cached_tokens, "token") + " cached"
                                            : std::string{},
                  request.rejected_tokens > 0
                      ? counted(request.rejected_tokens, "token") + " of drafts rejected"
                      : std::string{},
                  request.context_shifts > 0 ? counted(request.context_shifts, "context shift")
                                             : std::string{}},
                 " · "));
    page_.line("", request.how_found.empty() ? std::string{} : "found by: " + request.how_found);
  }

  void verdict() {
    if (!run_.verdict) {
      return;
    }
    constexpr std::array kStyles{Style::good, Style::warning, Style::bad};
    const std::string words{words_of(*run_.verdict)};
    // The style would confuse the wrapping of a longer text.
    page_.line("Verdict", run_.verdict_reasons.empty()
                              ? styled(page_.terminal(),
                                       kStyles[static_cast<std::size_t>(*run_.verdict)], words)
                              : verdict_line(*run_.verdict, run_.verdict_reasons));
  }

  void command() {
    page_.line("Command", command_line());
    page_.line("Ended", join({run_.finish_reason, run_.model.path}, " · "));
  }

  void model() {
    const ModelFacts& model = run_.model;
    const auto number = [](const std::optional<int>& value, std::string_view unit) {
      return value ? counted(*value, unit) : std::string{};
    };
    page_.line("Model",
               join({model.name, model.architecture,
                     model.parameters ? format_count(*model.parameters) + " parameters" : "",
                     model.quantization, model.file_bytes ? format_bytes(*model.file_bytes) : ""},
                    " · "));
    std::string heads;
    if (model.heads && model.kv_heads) {
      heads = fmt::format("{}, {} KV ({})", counted(*model.heads, "head"), *model.kv_heads,
                          model.attention());
    }
    std::string experts;
    if (model.experts && *model.experts > 0) {
      experts = fmt::format("{}, {} active", counted(*model.experts, "expert"),
                            model.experts_used.value_or(0));
    }
    page_.line(
        "",
        join({model.layers && model.embedding_width
                  ? fmt::format("{} × {}", counted(*model.layers, "layer"), *model.embedding_width)
                  : std::string{},
              model.feed_forward_width ? fmt::format("ff {}", *model.feed_forward_width)
                                       : std::string{},
              heads, experts},
             " · "));
    std::string cache;
    if (model.kv_cache_bytes) {
      cache = "KV cache " + format_bytes(*model.kv_cache_bytes);
      if (model.kv_cache_used_bytes) {
        cache += ", used " + format_bytes(*model.kv_cache_used_bytes);
      }
    }
    std::string context;
    if (model.context) {
      context = fmt::format("context {}", *model.context);
      if (model.context_trained) {
        context += fmt::format(" (trained {})", *model.context_trained);
      }
    }
    page_.line("", join({context, cache}, " · "));
    page_.line("Engine", join({model.engine, number(model.threads, "thread"),
                               model.gpu_layers && *model.gpu_layers > 0
                                   ? counted(*model.gpu_layers, "layer") + " on GPU"
                                   : std::string{},
                               model.load_time ? "loaded in " + format_duration(*model.load_time)
                                               : std::string{}},
                              " · "));
  }

  void power() {
    if (run_.power.sources.empty()) {
      page_.line("Power", "not measured");
    }
    std::string_view label = "Power";
    for (const std::string& source : run_.power.sources) {
      page_.line(std::exchange(label, ""), source);
    }
    std::vector<std::string> domains;
    for (const DomainFigure& domain : run_.power.domains) {
      // A domain that is contained in another is shown in brackets: it is not part of the sum.
      const bool is_estimate = domain.figure.total && domain.domain.method == Method::estimated;
      const std::string value = fmt::format("{} {}{}", domain.domain.name, is_estimate ? "~" : "",
                                            format_energy(domain.figure.total));
      domains.push_back(domain.domain.is_root() ? value : "(" + value + ")");
    }
    if (domains.size() > 1) {
      page_.line("", join(domains, " · "));
    }
    const Quality& quality = run_.totals.figure.quality;
    if (quality.method) {
      std::vector<std::string> parts{std::string{to_string(*quality.method)},
                                     "coverage " + format_percent(quality.coverage)};
      if (quality.resolution) {
        parts.push_back(
            counted(static_cast<std::int64_t>(std::llround(*quality.resolution)),
                    quality.method == Method::estimated ? "reading" : "sensor reading"));
      }
      if (quality.foreign_cpu_share) {
        parts.push_back(fmt::format("other processes {} of busy CPU time",
                                    format_percent(*quality.foreign_cpu_share)));
      }
      page_.line("", join(parts, " · "));
    }
  }

  void calibration() {
    if (!run_.calibration) {
      return;
    }
    const CalibrationUse& use = *run_.calibration;
    // One fits only if it was made with the sensors of the run.
    std::vector<std::string> sensors;
    for (const DomainFigure& domain : run_.power.domains) {
      if (domain.domain.is_root() && domain.domain.method == Method::measured) {
        sensors.push_back(domain.domain.name);
      }
    }
    page_.line(
        "Calibrated",
        join({format_wall_time(use.made_at),
              sensors.empty() ? std::string{} : "with " + join(sensors, ", "),
              counted(use.classes, "kind") + " of work",
              format_percent(use.time_share) + " of the passes' time",
              use.power_ratio ? fmt::format("power {:.2f} × the calibration's", *use.power_ratio)
                              : std::string{}},
             " · "));
  }

  void texts() {
    // The width beside the quoted text: the label, "12345 tokens  ", and the finish reason.
    const std::size_t beside = ReportPage::kLabelWidth + 14 + 2 + run_.finish_reason.size();
    const std::size_t room = std::max<std::size_t>(page_.terminal().width, beside + 16) - beside;
    if (run_.request && run_.prompt.empty() && run_.response.empty()) {
      // Passes have no text.
      page_.line("Tokens", fmt::format("{} of the prompt, {} of the response",
                                       run_.totals.prompt_tokens, run_.totals.output_tokens));
      return;
    }
    page_.line("Prompt", fmt::format("{}  {}", counted(run_.totals.prompt_tokens, "token"),
                                     quote(run_.prompt, room)));
    page_.line("Response",
               fmt::format("{}  {}{}", counted(run_.totals.output_tokens, "token"),
                           quote(run_.response, room),
                           run_.finish_reason.empty() ? "" : "  " + run_.finish_reason));
  }

  [[nodiscard]] static std::string plus_minus(const std::optional<Joules>& error) {
    return error ? "± " + format_energy(*error) : std::string{};
  }

  void energies() {
    const Totals& totals = run_.totals;
    const Figure& figure = totals.figure;
    page_.heading("Energy");
    // Two tables side by side if they fit, else one below the other.
    TextTable table({Align::left, Align::right, Align::left, Align::left, Align::right});
    TextTable above({Align::left, Align::right, Align::left});
    TextTable below({Align::left, Align::right});
    above.may_cut(2, 6);
    const auto row = [&](const std::array<std::string, 5>& cells) {
      table.row({cells.begin(), cells.end()});
      above.row({cells[0], cells[1], cells[2]});
      if (!cells[4].empty()) {
        below.row({cells[3], cells[4]});
      }
    };
    const auto per_second = [](const std::optional<double>& value) {
      return value ? fmt::format("{:.1f} tokens/s", *value) : std::string{kAbsent};
    };
    std::string idle;
    if (run_.power.baseline) {
      const BaselineFigure& baseline = *run_.power.baseline;
      idle = baseline.windows == 0
                 ? fmt::format("idle {} of its model", format_power(baseline.power))
                 : fmt::format("idle {} over {}", format_power(baseline.power),
                               format_duration(baseline.duration));
    }
    const auto share_of_total = [&](const std::optional<Joules>& part) {
      return part && figure.total && figure.total->value() > 0.0
                 ? format_percent(*part / *figure.total)
                 : std::string{};
    };
    const std::string price = fmt::format("at {:g} USD/kWh", totals.economics.price_usd_per_kwh);
    const std::string carbon = fmt::format("at {:g} g CO₂/kWh", totals.economics.carbon_g_per_kwh);
    // Beside the second, third and fourth line.
    std::array<std::pair<std::string, std::string>, 3> beside{
        {{"first token", totals.time_to_first_token ? format_duration(*totals.time_to_first_token)
                                                    : std::string{kAbsent}},
         {"prefill", per_second(totals.prefill_tokens_per_second)},
         {"decode", per_second(totals.decode_tokens_per_second)}}};
    if (is_command()) {
      beside = {
          {{price, totals.cost_usd ? mark() + format_usd(*totals.cost_usd) : std::string{kAbsent}},
           {carbon, totals.co2_grams ? mark() + format_si(*totals.co2_grams, "g", 3)
                                     : std::string{kAbsent}},
           {}}};
    }
    row({"total", energy(figure.total), plus_minus(uncertainty(figure)), "time",
         format_duration(figure.duration)});
    row({"baseline", energy(figure.baseline), idle, beside[0].first, beside[0].second});
    row({"above idle", energy(figure.dynamic),
         join({plus_minus(has_sensor_error() ? figure.quality.dynamic_standard_uncertainty
                                             : figure.quality.dynamic_standard_error),
               share_of_total(figure.dynamic)},
              " · "),
         beside[1].first, beside[1].second});
    if (totals.process_dynamic) {
      row({is_command() ? "its processes" : "this process", energy(totals.process_dynamic),
           "of above idle, by CPU time", "", ""});
    }
    row({"mean power", mark() + format_power(figure.mean_power), "", beside[2].first,
         beside[2].second});
    std::string peak_at;
    if (run_.power.peak) {
      peak_at = fmt::format("at {} over {}", format_duration(run_.power.peak->at),
                            format_duration(run_.power.peak->window));
    }
    row({"peak power",
         run_.power.peak ? mark() + format_power(run_.power.peak->power) : std::string{kAbsent},
         peak_at, "", ""});
    if (!is_command()) {
      for (const auto& cells : token_rows(price, carbon)) {
        row(cells);
      }
    }
    if (table.width() <= page_.terminal().width) {
      page_.table(table);
    } else {
      page_.table(above);
      page_.table(below);
    }
    if (figure.quality.standard_error && !has_sensor_error()) {
      page_.add("  " +
                wrap(run_.verdict ? "± leaves out the error of the sensor, which is not known. "
                                    "Compare it with a meter, and pass --sensor-accuracy."
                                  : "± leaves out the error of the sensor: an earlier enprof "
                                    "stored this run.",
                     page_.terminal().width, 2) +
                "\n");
    }
  }

  /// Energy by token: the last lines of the two tables.
  [[nodiscard]] std::array<std::array<std::string, 5>, 3> token_rows(
      const std::string& price, const std::string& carbon) const {
    const Totals& totals = run_.totals;
    const std::optional<Joules>& each = totals.energy_per_output_token;
    const auto million = [&](double per_joule, std::string_view unit) {
      return each ? mark() + format_si(each->value() * 1e6 * per_joule, unit, 3)
                  : std::string{kAbsent};
    };
    return {{{"input token", energy(totals.energy_per_input_token),
              plus_minus(totals.energy_per_input_token_uncertainty), "million output tokens",
              million(1.0 / 3600.0, "Wh")},
             {"output token", energy(each),
              join({plus_minus(totals.energy_per_output_token_uncertainty),
                    totals.output_to_input_ratio
                        ? fmt::format("{:.1f} × input", *totals.output_to_input_ratio)
                        : std::string{}},
                   " · "),
              price,
              each ? mark() + format_usd(to_kwh(*each) * 1e6 * totals.economics.price_usd_per_kwh)
                   : std::string{kAbsent}},
             {"tokens/joule",
              totals.tokens_per_joule ? fmt::format("{}{:.4g}", mark(), *totals.tokens_per_joule)
                                      : std::string{kAbsent},
              "", carbon, million(totals.economics.carbon_g_per_kwh / 3.6e6, "g")}}};
  }

  /// Whether uncertainties that include the sensor's error are known.
  [[nodiscard]] bool has_sensor_error() const {
    return run_.totals.figure.quality.standard_uncertainty.has_value();
  }
  [[nodiscard]] std::optional<Joules> uncertainty(const Figure& figure) const {
    return has_sensor_error() ? figure.quality.standard_uncertainty : figure.quality.standard_error;
  }
  /// Estimates are always marked.
  [[nodiscard]] std::string mark() const {
    return run_.totals.figure.quality.method == Method::estimated ? "~" : "";
  }
  [[nodiscard]] std::string energy(const std::optional<Joules>& joules) const {
    return (joules ? mark() : "") + format_energy(joules);
  }

  void phases() {
    if (run_.phases.empty()) {
      return;
    }
    page_.heading("Where it went");
    struct Line {
      std::string name;
      std::string count;
      const Figure* figure;
      Style style;
    };
    std::vector<Line> lines;
    for (const PhaseFigure& phase : run_.phases) {
      lines.push_back({std::string{to_string(phase.phase)}, "", &phase.figure, Style::bold});
      for (const SectionFigure& section : run_.sections) {
        if (section.phase == phase.phase && !is_negligible(section, phase)) {
          lines.push_back({"  " + shown_section(section.name),
                           section.name == kSelfSection ? "" : fmt::format("{}", section.count),
                           &section.figure, Style::plain});
        }
      }
    }
    ColumnUnit time("s");
    ColumnUnit joules("J");
    ColumnUnit watts("W");
    for (const Line& line : lines) {
      time.add(seconds(line.figure->duration));
      joules.add(number(line.figure->total));
      joules.add(number(uncertainty(*line.figure)));
      watts.add(number(line.figure->mean_power));
    }
    TextTable table({Align::left, Align::right, Align::right, Align::right, Align::right,
                     Align::right, Align::right, Align::right});
    constexpr std::size_t kCount = 1;
    constexpr std::size_t kError = 4;
    constexpr std::size_t kShare = 5;
    constexpr std::size_t kDynamic = 6;
    constexpr std::size_t kPower = 7;
    table.may_drop({kShare, kCount, kDynamic, kPower, kError});
    table.may_cut(0, 10);
    table.row({"phase / section", "count", "time " + time.name(), "energy " + joules.name(),
               "± " + joules.name(), "share", "above idle", "power " + watts.name()},
              Style::dim);
    const std::optional<Joules>& total = run_.totals.figure.total;
    for (const Line& line : lines) {
      const Figure& figure = *line.figure;
      std::string share{kAbsent};
      if (figure.total && total && total->value() > 0.0) {
        share = format_percent(*figure.total / *total);
      }
      table.row({line.name, line.count, time.cell(seconds(figure.duration)),
                 (figure.total ? mark() : "") + joules.cell(number(figure.total)),
                 joules.cell(number(uncertainty(figure))), share,
                 (figure.dynamic ? mark() : "") + joules.cell(number(figure.dynamic)),
                 watts.cell(number(figure.mean_power))},
                line.style);
    }
    page_.table(table);
  }

  template <class Quantity>
  [[nodiscard]] static std::optional<double> number(const std::optional<Quantity>& value) {
    return value ? std::optional{value->value()} : std::nullopt;
  }

  [[nodiscard]] static bool is_negligible(const SectionFigure& section, const PhaseFigure& phase) {
    return section.name == kSelfSection &&
           seconds(section.figure.duration) < kSelfShown * seconds(phase.figure.duration);
  }

  void tokens() {
    std::vector<const TokenFigure*> costliest;
    for (const TokenFigure& token : run_.tokens) {
      if (token.figure.total) {
        costliest.push_back(&token);
      }
    }
    if (costliest.empty()) {
      return;
    }
    const auto shown = std::min(kCostliestTokens, costliest.size());
    std::ranges::partial_sort(costliest, costliest.begin() + static_cast<std::ptrdiff_t>(shown),
                              std::ranges::greater{},
                              [](const TokenFigure* token) { return *token->figure.total; });
    costliest.resize(shown);
    page_.heading("Costliest tokens");
    ColumnUnit joules("J");
    ColumnUnit time("s");
    for (const TokenFigure* token : costliest) {
      joules.add(number(token->figure.total));
      joules.add(number(uncertainty(token->figure)));
      time.add(seconds(token->figure.duration));
    }
    TextTable table(
        {Align::right, Align::right, Align::right, Align::right, Align::right, Align::left});
    table.may_drop({4, 2});
    table.may_cut(5, 8);
    table.row({"token", "energy " + joules.name(), "± " + joules.name(), "time " + time.name(),
               "readings", "text"},
              Style::dim);
    for (const TokenFigure* token : costliest) {
      const Quality& quality = token->figure.quality;
      table.row(
          {fmt::format("#{}", token->index), mark() + joules.cell(number(token->figure.total)),
           joules.cell(number(uncertainty(token->figure))),
           time.cell(seconds(token->figure.duration)),
           quality.resolution
               ? fmt::format("{:.{}g}", *quality.resolution, *quality.resolution < 100.0 ? 2 : 6)
               : std::string{kAbsent},
           quote(token->text, 32)});
    }
    page_.table(table);
  }

  void warnings() {
    if (run_.warnings.empty()) {
      return;
    }
    page_.heading("Warnings");
    for (const Warning& warning : run_.warnings) {
      const Terminal& terminal = page_.terminal();
      page_.add("  " + styled(terminal, Style::warning, "! ") +
                wrap(printable(warning.message), terminal.width, kWarningIndent) + "\n");
      if (!warning.hint.empty()) {
        page_.add(std::string(kWarningIndent, ' ') +
                  wrap(printable(warning.hint), terminal.width, kWarningIndent) + "\n");
      }
    }
  }

  const ProfiledRun& run_;
  ReportPage page_;
};

}  // namespace

std::string run_report(const ProfiledRun& run, const Terminal& terminal) {
  return RunReport(run, terminal).text();
}

}  // namespace enprof
