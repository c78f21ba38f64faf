#include "cli/rm_command.hpp"

#include "base/printable.hpp"
#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"

#include <fmt/format.h>

namespace enprof {

void RmCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("rm", "Delete runs from the database");
  database_.declare(*app_);
  app_->add_option("RUN", runs_, kRunHelp)
      ->required()
      ->check(not_empty())
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app_->footer(
      "Examples:\n"
      "  enprof rm last                the newest run\n"
      "  enprof rm 915eafb8 24b1c0     two runs, by the beginning of their ids\n"
      "To delete old runs: enprof db prune\n");
}

int RmCommand::run() {
  auto database = database_.open_existing();
  if (!database) {
    print_error(database.error());
    return exit_failed;
  }
  // All names are resolved before anything is deleted: "last" means the same run throughout, and
  // with a mistyped name nothing is deleted.
  std::vector<std::string> ids;
  for (const std::string& name : runs_) {
    const auto id = database->resolve(name);
    if (!id) {
      print_error(id.error());
      return exit_failed;
    }
    ids.push_back(*id);
  }
  for (const std::string& id : ids) {
    const auto deleted = database->delete_run(id);
    if (!deleted) {
      print_error(deleted.error());
      return exit_failed;
    }
    if (*deleted) {
      const auto written = write_output("-", fmt::format("Deleted run {}\n", printable(id)));
      if (!written) {
        print_error(written.error());
        return exit_failed;
      }
    }
  }
  return exit_done;
}

}  // namespace enprof
