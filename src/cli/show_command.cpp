#include "cli/show_command.hpp"

#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"
#include "report/capture_section.hpp"
#include "report/run_json.hpp"
#include "report/run_report.hpp"

#include <utility>

namespace enprof {

void ShowCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("show", "Print the report of a run in the database");
  database_.declare(*app_);
  app_->add_option("RUN", run_, kRunHelp)->required()->check(not_empty());
  app_->add_flag("--json", json_, "Print JSON");
  app_->footer(
      "Examples:\n"
      "  enprof show last                          the report of the newest run\n"
      "  enprof show 915eafb8                      the run whose id begins so\n"
      "  enprof show last --json | jq .totals      its figures\n");
}

/// What the report of a capture has beside that of its run.
Result<std::string> ShowCommand::section_of(const ProfiledRun& run) const {
  if (!run.capture) {
    return std::string{};
  }
  auto database = database_.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  RunFilter filter;
  filter.capture = run.run_id;
  filter.limit = kRequestsShown;
  const auto requests = database->list_runs(filter);
  if (!requests) {
    return std::unexpected(requests.error());
  }
  return capture_section(run, requests->runs, requests->total, stdout_terminal());
}

/// The report needs much of the run at once; JSON is made piece by piece.
Result<void> ShowCommand::write() const {
  if (!json_) {
    // The report does not need the lists that may have millions of rows.
    const auto run =
        stored_run(database_, run_, {.operation_events = false, .power_samples = false});
    if (!run) {
      return std::unexpected(run.error());
    }
    const auto section = section_of(*run);
    return section ? write_output("-", run_report(*run, stdout_terminal()) + *section)
                   : std::unexpected(section.error());
  }
  auto database = database_.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  auto run = stored_run(*database, run_);
  if (!run) {
    return std::unexpected(run.error());
  }
  RunJson json(*std::move(run));
  return write_output("-", json);
}

int ShowCommand::run() {
  if (const auto written = write(); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
