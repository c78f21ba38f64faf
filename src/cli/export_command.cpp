#include "cli/export_command.hpp"

#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"
#include "report/run_csv.hpp"
#include "report/run_json.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace enprof {

void ExportCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("export", "Write a run in the database to a file");
  database_.declare(*app_);
  app_->add_option("RUN", run_, kRunHelp)->required()->check(not_empty());
  app_->add_option("--format", format_, "Format of the file")
      ->type_name("FORMAT")
      ->transform(one_of({"json", "csv"}))
      ->capture_default_str();
  app_->add_option("-o,--output", output_,
                   "File to write, - is standard output; for csv the directory of its files")
      ->type_name("FILE")
      ->check(not_empty())
      ->capture_default_str();
  app_->add_flag("--force", force_, "Overwrite existing files");
  app_->footer(
      "Examples:\n"
      "  enprof export last -o run.json              for `enprof import` on another machine\n"
      "  enprof export last --format csv -o run/     a CSV file per table\n"
      "  enprof export last | jq .totals.energy_mj   one of its figures\n");
}

/// Writes one file per table, into a directory that is created if it is missing.
Result<void> ExportCommand::write_tables(RunSource& run) const {
  const std::filesystem::path directory = output_;
  const auto file_of = [&](std::string_view name) {
    return directory / fmt::format("{}.csv", name);
  };
  for (const std::string_view name : csv_table_names()) {
    if (auto free = force_ ? Result<void>{} : check_not_there(file_of(name)); !free) {
      return free;
    }
  }
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) {
    return fail(error_code_from_errno(failed.value()),
                fmt::format("Cannot create the directory {}: {}", output_, failed.message()),
                "Name a directory where you may write.");
  }
  for (const std::string_view name : csv_table_names()) {
    RunCsv table(run, name);
    if (auto written = write_output(file_of(name), table); !written) {
      return written;
    }
  }
  return {};
}

Result<void> ExportCommand::write() const {
  if (format_ == "json" && !force_) {
    if (auto free = check_not_there(output_); !free) {
      return free;
    }
  }
  auto database = database_.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  auto run = stored_run(*database, run_);
  if (!run) {
    return std::unexpected(run.error());
  }
  if ((*run)->head().status == RunStatus::running) {
    print_note(
        "the run is not finished: it is exported without its figures, and cannot be imported");
  }
  if (format_ == "csv") {
    return write_tables(**run);
  }
  RunJson json(*std::move(run));
  return write_output(output_, json);
}

int ExportCommand::run() {
  if (format_ == "csv" && output_ == "-") {
    print_error({ErrorCode::invalid_argument, "CSV is several files, one per table",
                 "Name a directory for them: -o DIRECTORY"});
    return exit_usage;
  }
  if (const auto written = write(); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
