#include "cli/show_command.hpp"

#include "cli/console.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"
#include "report/run_json.hpp"
#include "report/run_report.hpp"

namespace enprof {

void ShowCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("show", "Print the report of a run in the database");
  database_.declare(*app_);
  app_->add_option("RUN", run_, kRunHelp)->required();
  app_->add_flag("--json", json_, "Print JSON");
  app_->footer(
      "Examples:\n"
      "  enprof show last                          the report of the newest run\n"
      "  enprof show 915eafb8                      of the one whose id begins so\n"
      "  enprof show last --json | jq .totals      its figures\n");
}

int ShowCommand::run() {
  const auto run = stored_run(database_, run_);
  if (!run) {
    print_error(run.error());
    return exit_failed;
  }
  const std::string text = json_ ? run_to_json(*run) : run_report(*run, stdout_terminal());
  if (const auto written = write_output("-", text); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
