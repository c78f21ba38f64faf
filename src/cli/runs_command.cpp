#include "cli/runs_command.hpp"

#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "model/moment.hpp"
#include "report/run_list.hpp"

#include <tuple>
#include <utility>

namespace enprof {

void RunsCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("runs", "List the runs in the database");
  database_.declare(*app_);
  app_->add_option("--model", filter_.model_text,
                   "Only runs of models with this in their name, ignoring case")
      ->type_name("NAME")
      ->check(not_empty());
  app_->add_option("--tag", filter_.tag, "Only runs with this tag")
      ->type_name("TAG")
      ->check(not_empty());
  app_->add_option("--experiment", filter_.experiment, "Only runs of this experiment")
      ->type_name("NAME")
      ->check(not_empty());
  app_->add_option("--engine", filter_.engine, "Only runs of this engine, with or without version")
      ->type_name("NAME")
      ->check(not_empty());
  app_->add_option("--capture", filter_.capture,
                   "The requests of a capture, which is named as for show; without it they are "
                   "not listed")
      ->type_name("RUN")
      ->check(not_empty());
  app_->add_option("--text", filter_.prompt_text, "Only runs with this in their prompt")
      ->type_name("TEXT")
      ->check(not_empty());
  app_->add_option("--from", from_,
                   "Only runs that began on this day or at this time (UTC), or "
                   "later")
      ->type_name("DATE")
      ->check(not_empty());
  app_->add_option("--to", to_,
                   "Only runs that began by the end of this day, or before this "
                   "time (UTC)")
      ->type_name("DATE")
      ->check(not_empty());
  app_->add_option("--sort", sort_, "Sort key; the newest, longest or most expensive first")
      ->type_name("KEY")
      ->transform(one_of({"date", "duration", "energy", "joules-per-token"}))
      ->capture_default_str();
  app_->add_flag("--ascending", filter_.ascending, "Oldest, shortest or cheapest first");
  app_->add_option("--limit", filter_.limit, "The most runs to list")
      ->type_name("N")
      ->transform(whole_number(1, 1'000'000))
      ->capture_default_str();
  app_->add_option("--offset", filter_.offset, "Skip this many runs")
      ->type_name("N")
      ->transform(whole_number(0, 1'000'000'000))
      ->capture_default_str();
  app_->add_flag("--json", json_, "Print JSON");
  app_->footer(
      "Examples:\n"
      "  enprof runs                                   the newest runs\n"
      "  enprof runs --sort energy --limit 10          the ten with the most energy\n"
      "  enprof runs --model gemma --from 2026-11-01   of models with gemma in their name\n"
      "  enprof runs --capture last                    the requests of the newest capture\n");
}

int RunsCommand::run() {
  filter_.order = sort_ == "duration" ? RunOrder::duration
                  : sort_ == "energy" ? RunOrder::energy
                  : sort_ == "date"   ? RunOrder::date
                                      : RunOrder::joules_per_token;
  for (const auto& [text, part, moment] : {std::tuple{&from_, DayPart::begin, &filter_.from},
                                           std::tuple{&to_, DayPart::end, &filter_.to}}) {
    if (!text->empty()) {
      const auto parsed = parse_moment(*text, part);
      if (!parsed) {
        print_error(parsed.error());
        return exit_usage;
      }
      *moment = *parsed;
    }
  }
  if (filter_.from && filter_.to && *filter_.from >= *filter_.to) {
    print_error({ErrorCode::invalid_argument,
                 fmt::format("--from {} is not before --to {}: no run is in between", from_, to_),
                 "Exchange them. --to includes the day that it names."});
    return exit_usage;
  }
  auto database = database_.open_to_read();
  if (!database) {
    print_error(database.error());
    return exit_failed;
  }
  if (!filter_.capture.empty()) {
    const auto capture = database->resolve(filter_.capture);
    if (!capture) {
      print_error(capture.error());
      return exit_failed;
    }
    filter_.capture = *capture;
  }
  if (const auto written = write(*database); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

Result<void> RunsCommand::write(ProfileDatabase& database) const {
  if (json_) {
    auto runs = database.find_runs(filter_);
    if (!runs) {
      return std::unexpected(runs.error());
    }
    RunListJson json(database, *std::move(runs));
    return write_output("-", json);
  }
  const auto list = database.list_runs(filter_);
  return list ? write_output("-", run_list(*list, filter_, stdout_terminal()))
              : std::unexpected(list.error());
}

}  // namespace enprof
