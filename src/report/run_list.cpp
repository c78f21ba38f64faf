#include "report/run_list.hpp"

#include "base/printable.hpp"
#include "model/command_engine.hpp"
#include "report/capture_section.hpp"
#include "report/format.hpp"
#include "report/json_fields.hpp"
#include "report/json_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace enprof {
namespace {

using Align = TextTable::Align;

constexpr std::size_t kShortId = 8;
constexpr std::size_t kMostOfPrompt = 100;  // in a pipe, where lines have no width
constexpr std::size_t kWide = 120;          // room for full times and statuses
constexpr std::size_t kNarrow = 60;

/// The time as precisely as the width allows: with seconds, with minutes, or without the year.
std::string started(WallTime time, std::size_t columns) {
  const std::string whole = format_wall_time(time);
  return columns >= kWide ? whole : columns >= kNarrow ? whole.substr(0, 16) : whole.substr(5, 11);
}

std::string status(const RunSummary& run, std::size_t columns) {
  const bool is_usual = run.status == RunStatus::completed;
  return (is_usual && columns < kWide ? "ok" : std::string{to_string(run.status)}) +
         (run.warnings > 0 ? fmt::format(" !{}", run.warnings) : "");
}

Json summary_json(const RunSummary& run) {
  Json summary{{"run_id", run.run_id},
               {"status", to_string(run.status)},
               {"started_at_ms", run.started_at.time_since_epoch().count()},
               {"depth", to_string(run.depth)},
               {"model", run.model},
               {"quantization", run.quantization},
               {"engine", run.engine},
               {"experiment", run.experiment},
               {"tags", run.tags},
               {"prompt", run.prompt},
               {"duration_ms", to_ms(run.duration)},
               {"prompt_tokens", run.prompt_tokens},
               {"output_tokens", run.output_tokens},
               {"energy_mj", mj(run.energy)},
               {"energy_per_output_token_mj", mj(run.energy_per_output_token)},
               {"method", run.method ? Json(to_string(*run.method)) : Json(nullptr)},
               {"verdict", run.verdict ? Json(to_string(*run.verdict)) : Json(nullptr)},
               {"warnings", run.warnings},
               {"energy_uncertainty_mj", mj(run.uncertainty)},
               {"time_to_first_token_ms",
                run.time_to_first_token ? Json(to_ms(*run.time_to_first_token)) : Json(nullptr)},
               {"requests", run.requests ? Json(*run.requests) : Json(nullptr)}};
  if (run.request) {
    summary["request"] = json_of_fields(*run.request, kRequestFields);
  }
  return summary;
}

std::string more_runs(const RunList& list, const RunFilter& filter) {
  const std::size_t last = filter.offset + list.runs.size();
  return last < list.total ? fmt::format("{} of {} runs; more with --offset {}\n", list.runs.size(),
                                         list.total, last)
                           : std::string{};
}

}  // namespace

std::string run_list(const RunList& list, const RunFilter& filter, const Terminal& terminal) {
  if (list.runs.empty()) {
    return list.total == 0
               ? "No runs.\n"
               : fmt::format("No runs beyond offset {} of {}.\n", filter.offset, list.total);
  }
  if (list.runs.front().request) {
    return request_table(list.runs, terminal) + more_runs(list, filter);
  }
  TextTable table({Align::left, Align::left, Align::left, Align::right, Align::right, Align::right,
                   Align::right, Align::left, Align::left, Align::left});
  table.row({"run", terminal.width >= kWide ? "started" : "started UTC", "model", "in", "out",
             "energy", "output token", "verdict", "status", "prompt"},
            Style::dim);
  constexpr std::size_t kStarted = 1;
  constexpr std::size_t kModel = 2;
  constexpr std::size_t kIn = 3;
  constexpr std::size_t kOut = 4;
  constexpr std::size_t kEach = 6;
  constexpr std::size_t kVerdict = 7;
  constexpr std::size_t kStatus = 8;
  constexpr std::size_t kPrompt = 9;
  table.may_cut(kModel, 10);
  table.may_cut(kPrompt, 12);
  table.may_cut(kStatus, 7);
  table.may_drop({kIn, kPrompt, kOut, kEach, kStarted, kVerdict, kStatus});
  for (const RunSummary& run : list.runs) {
    // Estimates are always marked.
    const auto shown = [&](const std::optional<Joules>& energy) {
      const bool estimated = energy && run.method == Method::estimated;
      return (estimated ? "~" : "") + format_energy(energy);
    };
    const auto tokens = [&run](std::size_t count) {
      return is_command(run.engine) && count == 0 ? std::string{kAbsent} : fmt::format("{}", count);
    };
    table.row({run.run_id.substr(0, kShortId), started(run.started_at, terminal.width),
               run.model + (run.quantization.empty() ? "" : " " + run.quantization),
               tokens(run.prompt_tokens), tokens(run.output_tokens), shown(run.energy),
               shown(run.energy_per_output_token),
               run.verdict ? std::string{words_of(*run.verdict)} : std::string{kAbsent},
               status(run, terminal.width), quote(run.prompt, kMostOfPrompt)},
              run.status == RunStatus::completed ? Style::plain : Style::warning);
  }
  return table.text(terminal, 0) + more_runs(list, filter);
}

Result<bool> RunListJson::next(std::string& text) {
  if (!std::exchange(has_begun_, true)) {
    text += fmt::format("{{\n  \"total\": {},\n  \"runs\": [", runs_.total);
  }
  const auto found = store_.summaries(std::span{runs_.ids}.subspan(next_), kPiece);
  if (!found) {
    return std::unexpected(found.error());
  }
  next_ += found->asked;
  for (const RunSummary& run : found->runs) {
    text += written_++ == 0 ? "\n    " : ",\n    ";
    append_indented(text, summary_json(run), 2);
  }
  if (next_ < runs_.ids.size()) {
    return true;
  }
  text += written_ == 0 ? "]\n}\n" : "\n  ]\n}\n";
  return false;
}

}  // namespace enprof
