#include "report/capture_section.hpp"

#include "base/counted.hpp"
#include "report/format.hpp"
#include "report/report_page.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using Align = TextTable::Align;

std::string words_of(CapturePartKind kind) {
  std::string words{to_string(kind)};
  for (char& letter : words) {
    letter = letter == '_' ? ' ' : letter;
  }
  return words;
}

std::string share(const std::optional<Joules>& part, const std::optional<Joules>& whole) {
  return part && whole && whole->value() > 0.0 ? format_percent(*part / *whole)
                                               : std::string{kAbsent};
}

std::string duration(const std::optional<Nanoseconds>& value) {
  return value ? format_duration(*value) : std::string{kAbsent};
}

/// Estimates are always marked.
std::string marked(const std::optional<Joules>& energy, const std::optional<Method>& method) {
  return (energy && method == Method::estimated ? "~" : "") + format_energy(energy);
}

void add_parts(ReportPage& page, const ProfiledRun& run) {
  TextTable table({Align::left, Align::right, Align::right, Align::right, Align::right,
                   Align::right, Align::right});
  table.may_drop({1, 6, 4});
  table.row({"part", "count", "time", "energy", "±", "share", "power"}, Style::dim);
  for (const CapturePart& part : run.capture->parts) {
    const Figure& figure = part.figure;
    const Quality& quality = figure.quality;
    table.row({words_of(part.kind), fmt::format("{}", part.count), format_duration(figure.duration),
               marked(figure.total, quality.method),
               format_energy(quality.standard_uncertainty ? quality.standard_uncertainty
                                                          : quality.standard_error),
               share(figure.total, run.totals.figure.total), format_power(figure.mean_power)},
              part.kind == CapturePartKind::requests ? Style::bold : Style::plain);
  }
  page.heading("Where it went");
  page.table(table);
}

void add_occupancy(ReportPage& page, const CaptureFigures& capture) {
  if (capture.occupancy.empty()) {
    return;
  }
  Nanoseconds all{0};
  for (const CaptureOccupancy& row : capture.occupancy) {
    all += row.duration;
  }
  TextTable table({Align::right, Align::right, Align::right, Align::right, Align::right,
                   Align::right, Align::right});
  table.row({"sequences", "passes", "tokens", "time", "share", "energy", "a token"}, Style::dim);
  table.may_drop({4, 2});
  for (const CaptureOccupancy& row : capture.occupancy) {
    const auto each = row.energy && row.tokens > 0
                          ? std::optional{*row.energy / static_cast<double>(row.tokens)}
                          : std::nullopt;
    table.row({fmt::format("{}", row.sequences), fmt::format("{}", row.passes),
               fmt::format("{}", row.tokens), format_duration(row.duration),
               all > Nanoseconds{0} ? format_percent(seconds(row.duration) / seconds(all))
                                    : std::string{kAbsent},
               format_energy(row.energy), format_energy(each)});
  }
  page.heading("Sequences in a pass");
  page.table(table);
}

}  // namespace

RunSummary summary_of(const ProfiledRun& run) {
  RunSummary summary;
  summary.run_id = run.run_id;
  summary.status = run.status;
  summary.started_at = run.started_at;
  summary.depth = run.depth;
  summary.model = run.model.name;
  summary.quantization = run.model.quantization;
  summary.engine = run.model.engine;
  summary.experiment = run.experiment;
  summary.tags = run.tags;
  summary.prompt = run.prompt;
  summary.duration = run.totals.figure.duration;
  summary.prompt_tokens = run.totals.prompt_tokens;
  summary.output_tokens = run.totals.output_tokens;
  summary.energy = run.totals.figure.total;
  summary.energy_per_output_token = run.totals.energy_per_output_token;
  summary.method = run.totals.figure.quality.method;
  summary.verdict = run.verdict;
  summary.warnings = run.warnings.size();
  summary.uncertainty = run.totals.figure.quality.standard_uncertainty;
  summary.time_to_first_token = run.totals.time_to_first_token;
  if (run.capture) {
    summary.requests = run.capture->requests;
  }
  summary.request = run.request;
  return summary;
}

std::string request_table(std::span<const RunSummary> requests, const Terminal& terminal,
                          std::size_t indent) {
  constexpr std::size_t kShortId = 8;
  TextTable table({Align::right, Align::left, Align::right, Align::right, Align::right,
                   Align::right, Align::right, Align::right, Align::right, Align::right,
                   Align::right, Align::right, Align::right});
  table.row({"#", "run", "begin", "waiting", "in", "cached", "out", "first token", "energy", "±",
             "out token", "added", "idle"},
            Style::dim);
  constexpr std::size_t kRun = 1;
  constexpr std::size_t kBegin = 2;
  constexpr std::size_t kWaiting = 3;
  constexpr std::size_t kCached = 5;
  constexpr std::size_t kFirst = 7;
  constexpr std::size_t kError = 9;
  constexpr std::size_t kAdded = 11;
  constexpr std::size_t kIdle = 12;
  table.may_drop({kBegin, kCached, kFirst, kWaiting, kError, kAdded, kIdle, kRun});
  for (const RunSummary& run : requests) {
    const RequestFigures request = run.request.value_or(RequestFigures{});
    table.row({fmt::format("{}", request.number), run.run_id.substr(0, kShortId),
               format_duration(request.begin), duration(request.waiting),
               fmt::format("{}", run.prompt_tokens), fmt::format("{}", request.cached_tokens),
               fmt::format("{}", run.output_tokens), duration(run.time_to_first_token),
               marked(run.energy, run.method), format_energy(run.uncertainty),
               marked(run.energy_per_output_token, run.method),
               marked(request.marginal, run.method), marked(request.idle_share, run.method)});
  }
  return table.text(terminal, indent);
}

std::string capture_section(const ProfiledRun& capture, std::span<const RunSummary> requests,
                            std::size_t all, const Terminal& terminal) {
  if (!capture.capture) {
    return {};
  }
  ReportPage page(terminal);
  const CaptureFigures& figures = *capture.capture;
  add_parts(page, capture);
  page.heading("Requests");
  std::vector<std::string> facts{
      counted(figures.requests, "request"), fmt::format("{} passes", figures.passes),
      fmt::format("at most {} in flight", figures.most_in_flight),
      figures.mean_sequences ? fmt::format("{:.1f} sequences in a pass", *figures.mean_sequences)
                             : std::string{},
      "shared by " + figures.sharing};
  page.add("  " + wrap(join(facts, " · "), terminal.width, 2) + "\n");
  if (!requests.empty()) {
    page.add(request_table(requests, terminal, 2));
  }
  if (all > requests.size()) {
    page.add("  " +
             wrap(fmt::format("{} of {}; all: enprof runs --capture {} --limit {}", requests.size(),
                              counted(all, "request"), capture.run_id, all),
                  terminal.width, 2) +
             "\n");
  }
  add_occupancy(page, figures);
  return page.move_text();
}

}  // namespace enprof
