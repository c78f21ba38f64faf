#include "cli/runs_command.hpp"

#include "cli/console.hpp"
#include "cli/output_file.hpp"
#include "report/run_list.hpp"

namespace enprof {

void RunsCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("runs", "List the runs in the database, newest first");
  database_.declare(*app_);
  app_->add_option("--model", filter_.model, "Only runs of this model")->type_name("NAME");
  app_->add_option("--tag", filter_.tag, "Only runs with this tag")->type_name("TAG");
  app_->add_option("--experiment", filter_.experiment, "Only runs of this experiment")
      ->type_name("NAME");
  app_->add_option("--limit", filter_.limit, "At most this many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app_->add_option("--offset", filter_.offset, "Leave out this many first")->capture_default_str();
  app_->add_flag("--json", json_, "Print JSON");
}

int RunsCommand::run() {
  auto database = database_.open_existing();
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
