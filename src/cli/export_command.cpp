#include "cli/export_command.hpp"

#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/stored_run.hpp"
#include "report/folded_stacks.hpp"
#include "report/format.hpp"
#include "report/run_csv.hpp"
#include "report/runs_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace enprof {
namespace {

constexpr const char* kCsv = "csv";
constexpr const char* kTime = "time";
constexpr const char* kEnergy = "energy";
/// Coverage from which no time counts as not measured: less than rounds to 100.0 %.
constexpr double kWhole = 0.9995;

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const ExportFormat& format : export_formats()) {
    names.emplace_back(format.name);
  }
  names.insert(names.begin() + 1, kCsv);
  return names;
}

void print_note_if_unfinished(const ProfiledRun& run) {
  if (run.status == RunStatus::running) {
    print_note(
        "the run is not finished: it is exported without its figures, and cannot be imported");
  }
}

/// What a picture of energies does not show.
void print_notes_on_energy(const ProfiledRun& run) {
  const Figure& figure = run.totals.figure;
  if (!figure.total) {
    return;
  }
  if (figure.quality.method == Method::estimated) {
    print_note("the energies are estimates: no sensor measured them");
  }
  if (figure.quality.coverage < kWhole) {
    print_note(
        fmt::format("sensors covered {} of the run: the energy of the rest is not known, "
                    "and in no part",
                    format_percent(figure.quality.coverage)));
  }
}

}  // namespace

void ExportCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("export", "Write runs in the database to files, for other tools");
  database_.declare(*app_);
  app_->add_option("RUN", runs_, fmt::format("{}; several for csv", kRunHelp))
      ->required()
      ->check(not_empty());
  app_->add_option("--format", format_,
                   "Format of the file: json for `enprof import`; csv for spreadsheets; folded, "
                   "speedscope and pprof for flame graphs; chrome and perfetto for traces")
      ->type_name("FORMAT")
      ->transform(one_of(format_names()))
      ->capture_default_str();
  app_->add_option("--weight", weight_,
                   "What folded stacks count: microjoules, or microseconds; energy if not given")
      ->type_name("WEIGHT")
      ->transform(one_of({kEnergy, kTime}));
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
      "  enprof export 3f2a 91bc --format csv -o d/  the same tables with the rows of both runs\n"
      "  enprof export last --format perfetto -o run.pftrace    open it in ui.perfetto.dev\n"
      "  enprof export last --format folded | flamegraph.pl --countname uJ > energy.svg\n"
      "  enprof export last | jq .totals.energy_mj   one of its figures\n");
}

Result<std::vector<std::string>> ExportCommand::run_ids(ProfileDatabase& database) const {
  std::vector<std::string> ids;
  for (const std::string& name : runs_) {
    auto id = database.resolve(name);
    if (!id) {
      return std::unexpected(std::move(id.error()));
    }
    if (std::ranges::find(ids, *id) != ids.end()) {
      return fail(ErrorCode::invalid_argument, fmt::format("Run {} is named twice", *id),
                  "Name each run once: its rows would count twice.");
    }
    ids.push_back(*std::move(id));
  }
  return ids;
}

/// Writes one file per table, into a directory that is created if it is missing.
Result<void> ExportCommand::write_tables(ProfileDatabase& database) const {
  const auto ids = run_ids(database);
  if (!ids) {
    return std::unexpected(ids.error());
  }
  for (const std::string& id : *ids) {
    const auto run = stored_run(database, id);
    if (!run) {
      return std::unexpected(run.error());
    }
    print_note_if_unfinished((*run)->head());
  }
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
    RunsCsv table(database, *ids, name);
    if (auto written = write_output(file_of(name), table); !written) {
      return written;
    }
  }
  return {};
}

Result<void> ExportCommand::write() const {
  if (format_ != kCsv && !force_) {
    if (auto free = check_not_there(output_); !free) {
      return free;
    }
  }
  auto database = database_.open_to_read();
  if (!database) {
    return std::unexpected(database.error());
  }
  if (format_ == kCsv) {
    return write_tables(*database);
  }
  auto run = stored_run(*database, runs_.front());
  if (!run) {
    return std::unexpected(run.error());
  }
  const ProfiledRun& head = (*run)->head();
  const ExportFormat& format = *export_format(format_);
  const StackWeight weight = weight_ == kTime ? StackWeight::time : StackWeight::energy;
  print_note_if_unfinished(head);
  if (format.has_weight) {
    if (auto known = check_weight(head, weight); !known) {
      return known;
    }
  }
  if (format.name != "json" && !(format.has_weight && weight == StackWeight::time)) {
    print_notes_on_energy(head);
  }
  const auto text = format.write(*std::move(run), weight);
  return write_output(output_, *text);
}

std::optional<Error> ExportCommand::usage_error() const {
  if (format_ == kCsv) {
    if (output_ == "-") {
      return Error{ErrorCode::invalid_argument, "CSV is several files, one per table",
                   "Name a directory for them: -o DIRECTORY"};
    }
  } else if (runs_.size() > 1) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{} runs are named, but a file of format {} holds one", runs_.size(), format_),
        "Export each run by itself; --format csv has tables of several runs."};
  }
  const ExportFormat* const format = export_format(format_);
  if (!weight_.empty() && (format == nullptr || !format->has_weight)) {
    return Error{ErrorCode::invalid_argument, fmt::format("--weight does not go with {}", format_),
                 "Only --format folded has one weight; other formats have time and energy."};
  }
  if (format != nullptr && format->is_binary && output_ == "-" && isatty(STDOUT_FILENO) == 1) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} is not text: it is not written to a terminal", format_),
                 fmt::format("Name a file: -o run.{}", format->ending)};
  }
  return std::nullopt;
}

int ExportCommand::run() {
  if (const auto wrong = usage_error()) {
    print_error(*wrong);
    return exit_usage;
  }
  if (const auto written = write(); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

}  // namespace enprof
