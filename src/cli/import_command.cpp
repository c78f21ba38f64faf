#include "cli/import_command.hpp"

#include "base/printable.hpp"
#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/run_file.hpp"
#include "store/run_lock.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace enprof {

void ImportCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("import", "Import runs that were exported as JSON");
  database_.declare(*app_);
  app_->add_option("FILE", files_, "File that enprof export or --json wrote; - is standard input")
      ->required()
      ->check(not_empty())
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app_->footer(
      "Examples:\n"
      "  enprof import run.json                          a run from another machine\n"
      "  ssh box enprof export last | enprof import -    the same without a file\n");
}

int ImportCommand::run() {
  // All files are read before any run is saved: with a mistyped name nothing is imported.
  std::vector<ProfiledRun> runs;
  for (const std::string& file : files_) {
    auto run = read_run_file(file, " | enprof import -");
    if (!run) {
      print_error(run.error());
      return exit_failed;
    }
    runs.push_back(*std::move(run));
  }
  auto database = database_.open();
  if (!database) {
    print_error(database.error());
    return exit_failed;
  }
  for (const ProfiledRun& run : runs) {
    // Without the lock it could replace a run that another program is writing.
    const auto lock = RunLock::acquire(database->path(), run.run_id);
    if (!lock && lock.error().code == ErrorCode::busy) {
      print_error(lock.error());
      return exit_failed;
    }
    if (const auto saved = database->save_run(run); !saved) {
      print_error(saved.error());
      return exit_failed;
    }
    const auto written = write_output("-", fmt::format("Imported run {}\n", printable(run.run_id)));
    if (!written) {
      print_error(written.error());
      return exit_failed;
    }
  }
  return exit_done;
}

}  // namespace enprof
