#include "cli/import_command.hpp"

#include "base/printable.hpp"
#include "base/text_encoding.hpp"
#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "report/run_from_json.hpp"
#include "store/run_lock.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

namespace enprof {
namespace {

Result<std::string> read_text(const std::string& path) {
  if (path == "-") {
    return std::string{std::istreambuf_iterator<char>{std::cin}, {}};
  }
  std::error_code none;
  std::ifstream in(path, std::ios::binary);
  const int error_number = std::filesystem::is_directory(path, none) ? EISDIR : in ? 0 : errno;
  if (error_number != 0) {
    return fail(
        error_code_from_errno(error_number),
        fmt::format("Cannot read {}: {}", path, std::generic_category().message(error_number)),
        "Name a file that enprof export or --json wrote and that you may read.");
  }
  return std::string{std::istreambuf_iterator<char>{in}, {}};
}

Result<ProfiledRun> read_run(const std::string& path) {
  const auto text = read_text(path);
  if (!text) {
    return std::unexpected(text.error());
  }
  if (const auto encoding = wide_encoding(*text)) {
    return fail(
        ErrorCode::malformed, fmt::format("{} is not UTF-8, but {}", path, iconv_name(*encoding)),
        fmt::format("Convert it while importing: {}{} | enprof import -", path == "-" ? "… | " : "",
                    conversion_command(iconv_name(*encoding), path)));
  }
  auto run = run_from_json(without_byte_order_mark(*text));
  if (!run) {
    run.error().message = fmt::format("{}: {}", path, run.error().message);
  } else if (run->status == RunStatus::running) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: run {} was still running when it was exported", path, run->run_id),
                "Export it again when it has ended.");
  }
  return run;
}

}  // namespace

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
    auto run = read_run(file);
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
