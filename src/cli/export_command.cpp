#include "cli/export_command.hpp"

#include "cli/console.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"
#include "report/run_json.hpp"

namespace enprof {

void ExportCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("export", "Write a run in the database to a file");
  database_.declare(*app_);
  app_->add_option("RUN", run_, kRunHelp)->required();
  app_->add_option("--format", format_, "Format of the file")
      ->check(CLI::IsMember({"json"}))
      ->capture_default_str();
  app_->add_option("-o,--output", output_, "File to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
}

int ExportCommand::run() {
  const auto run = stored_run(database_, run_);
  if (!run) {
    print_error(run.error());
    return exit_failed;
  }
  if (const auto written = write_output(output_, run_to_json(*run)); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
