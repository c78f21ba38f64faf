#include "cli/runs_command.hpp"

#include "cli/console.hpp"
#include "cli/output_file.hpp"
#include "model/moment.hpp"
#include "report/run_list.hpp"

#include <tuple>

namespace enprof {

void RunsCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("runs", "List the runs in the database");
  database_.declare(*app_);
  app_->add_option("--model", filter_.model, "Only runs of this model")->type_name("NAME");
  app_->add_option("--tag", filter_.tag, "Only runs with this tag")->type_name("TAG");
  app_->add_option("--experiment", filter_.experiment, "Only runs of this experiment")
      ->type_name("NAME");
  app_->add_option("--engine", filter_.engine, "Only runs of this engine, with or without version")
      ->type_name("NAME");
  app_->add_option("--text", filter_.prompt_text, "Only runs with this in their prompt")
      ->type_name("TEXT");
  app_->add_option("--from", from_,
                   "Only runs that began on this day or at this time (UTC), or "
                   "later")
      ->type_name("DATE");
  app_->add_option("--to", to_,
                   "Only runs that began up to the end of this day, or before this "
                   "time (UTC)")
      ->type_name("DATE");
  app_->add_option("--sort", sort_, "By what; the newest, longest or costliest first")
      ->check(CLI::IsMember({"date", "duration", "energy", "joules-per-token"}))
      ->capture_default_str();
  app_->add_flag("--ascending", filter_.ascending, "The oldest, shortest or cheapest first");
  app_->add_option("--limit", filter_.limit, "At most this many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app_->add_option("--offset", filter_.offset, "Leave out this many first")->capture_default_str();
  app_->add_flag("--json", json_, "Print JSON");
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
  auto database = database_.open_to_read();
  if (!database) {
    print_error(database.error());
    return exit_failed;
  }
  const auto list = database->list_runs(filter_);
  if (!list) {
    print_error(list.error());
    return exit_failed;
  }
  const std::string text =
      json_ ? run_list_to_json(*list) : run_list(*list, filter_, stdout_terminal());
  if (const auto written = write_output("-", text); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
