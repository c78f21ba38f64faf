#include "cli/db_command.hpp"

#include "base/counted.hpp"
#include "base/format_bytes.hpp"
#include "base/json_text.hpp"
#include "base/printable.hpp"
#include "base/shell_quote.hpp"
#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "profile/save/run_recovery.hpp"
#include "report/format.hpp"
#include "report/text_table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>

namespace enprof {
namespace {

int failed(const Error& error) {
  print_error(error);
  return exit_failed;
}

int shown(std::string_view text) {
  if (const auto written = write_output("-", text); !written) {
    return failed(written.error());
  }
  return exit_done;
}

using Json = nlohmann::ordered_json;

std::string stats_json(const DatabaseStats& stats) {
  Json statuses = Json::object();
  for (const auto& [status, count] : stats.runs_by_status) {
    statuses[status] = count;
  }
  Json rows = Json::object();
  for (const auto& [table, count] : stats.rows) {
    rows[table] = count;
  }
  const auto time = [](const std::optional<WallTime>& at) {
    return at ? Json(at->time_since_epoch().count()) : Json(nullptr);
  };
  const Json json{{"path", stats.path.string()},
                  {"schema_version", stats.schema_version},
                  {"file_bytes", stats.file_bytes},
                  {"log_bytes", stats.log_bytes},
                  {"free_bytes", stats.free_bytes},
                  {"runs", stats.runs},
                  {"runs_by_status", statuses},
                  {"oldest_at_ms", time(stats.oldest)},
                  {"newest_at_ms", time(stats.newest)},
                  {"journals", stats.journals},
                  {"rows", rows}};
  return indented(json) + "\n";
}

std::string stats_text(const DatabaseStats& stats) {
  std::string text =
      fmt::format("{}, schema version {}\n", printable(stats.path.string()), stats.schema_version);
  text += fmt::format("{}, of which {} unused; {} in the log beside it\n",
                      format_bytes(stats.file_bytes), format_bytes(stats.free_bytes),
                      format_bytes(stats.log_bytes));
  text += counted(stats.runs, "run");
  std::string_view separator = ": ";
  for (const auto& [status, count] : stats.runs_by_status) {
    text += fmt::format("{}{} {}", separator, count, printable(status));
    separator = ", ";
  }
  if (stats.oldest && stats.newest) {
    text += fmt::format("; from {} to {}", format_wall_time(*stats.oldest),
                        format_wall_time(*stats.newest));
  }
  text += "\n";
  if (stats.journals > 0) {
    text +=
        fmt::format("{} to be imported: enprof db import\n", counted(stats.journals, "journal"));
  }
  const Terminal terminal = stdout_terminal();
  std::string wrapped;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    wrapped += wrap(line, terminal.width, 2) + "\n";
    rest.remove_prefix(line.size() + 1);
  }
  TextTable table({TextTable::Align::left, TextTable::Align::right});
  for (const auto& [name, count] : stats.rows) {
    table.row({name, fmt::format("{}", count)});
  }
  return wrapped + table.text(terminal, 2);
}

/// The runs that prune deletes or would delete.
std::string table_of(const std::vector<RunSummary>& runs) {
  using Align = TextTable::Align;
  TextTable table({Align::left, Align::left, Align::left, Align::left});
  constexpr std::size_t kStarted = 1;
  constexpr std::size_t kModel = 2;
  constexpr std::size_t kPrompt = 3;
  table.may_cut(kModel, 10);
  table.may_cut(kPrompt, 12);
  table.may_drop({kPrompt, kStarted});
  for (const RunSummary& run : runs) {
    table.row({run.run_id.substr(0, 8), format_wall_time(run.started_at), run.model,
               quote(run.prompt, 40)});
  }
  return table.text(stdout_terminal(), 0);
}

}  // namespace

void DbCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand("db", "Maintain the database");
  app_->require_subcommand(1);
  database_.declare(*app_);

  stats_ = app_->add_subcommand("stats", "How large it is and what is in it");
  stats_->add_flag("--json", json_, "Print JSON");
  stats_->footer(
      "Example:\n"
      "  enprof db stats --json | jq .file_bytes\n");

  check_ = app_->add_subcommand("check", "Look for damage; save what can be read");
  check_->add_option("--salvage", salvage_, "Copy all readable rows into this new file")
      ->type_name("FILE")
      ->check(not_empty());
  check_->footer(
      "Exit codes: 0 good, 1 damaged.\n"
      "Examples:\n"
      "  enprof db check\n"
      "  enprof db check --salvage saved.db        save what can be read\n");

  vacuum_ = app_->add_subcommand("vacuum", "Give unused space back to the disk");
  vacuum_->footer(
      "It needs as much free disk space as the database has.\n"
      "Example:\n"
      "  enprof db vacuum                           after enprof db prune\n");

  prune_ = app_->add_subcommand("prune", "Delete old runs; without --yes only list them");
  prune_->add_option("--max-age-days", max_age_days_, "Delete runs that began longer ago than this")
      ->type_name("N")
      ->transform(whole_number(0, 1'000'000));
  prune_->add_option("--max-runs", max_runs_, "Of the others, keep only this many, the newest")
      ->type_name("N")
      ->transform(whole_number(0, 1'000'000'000));
  prune_->add_flag("--yes", yes_, "Delete them");
  prune_->footer(
      "Examples:\n"
      "  enprof db prune --max-age-days 90          list the runs that would be deleted\n"
      "  enprof db prune --max-runs 1000 --yes      delete all but the newest 1000\n");

  backup_ =
      app_->add_subcommand("backup", "Copy the database as it is now, even while it is in use");
  backup_->add_option("FILE", target_, "File to write; must not exist")
      ->required()
      ->check(not_empty());
  backup_->footer(
      "Example:\n"
      "  enprof db backup profiles-of-today.db\n");

  restore_ = app_->add_subcommand(
      "restore",
      "Replace the database by a copy, even while it is in use; keeps the previous content");
  restore_->add_option("FILE", copy_, "File that enprof db backup wrote")
      ->required()
      ->check(not_empty());
  restore_->footer(
      "Do not copy a file over the database (cp): that loses runs while a program uses it.\n"
      "Example:\n"
      "  enprof db restore profiles-of-today.db     keeps the previous content beside it\n");

  import_ = app_->add_subcommand("import",
                                 "Import runs that could not be saved, and close interrupted ones");
  import_
      ->add_option("FILE", journals_, "Journals in other directories, whose paths enprof reported")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  import_->footer(
      "For runs that were exported as JSON: enprof import.\n"
      "Examples:\n"
      "  enprof db import                                  the journals beside the database\n"
      "  enprof db import /tmp/enprof-915eafb8c0d1.jsonl   a run for which the disk had no room\n");
  app_->footer(
      "Examples:\n"
      "  enprof db stats                            how large it is\n"
      "  enprof db backup copy.db                   a copy, even while runs are written\n"
      "  enprof db prune --max-age-days 90          list the runs that are that old\n");
}

int DbCommand::run() {
  if (stats_->parsed()) {
    return stats();
  }
  if (check_->parsed()) {
    return check();
  }
  if (vacuum_->parsed()) {
    return vacuum();
  }
  if (prune_->parsed()) {
    return prune();
  }
  if (restore_->parsed()) {
    return restore();
  }
  return backup_->parsed() ? backup() : import();
}

int DbCommand::stats() {
  auto database = database_.open_to_read(Recovery::no);
  if (!database) {
    return failed(database.error());
  }
  const auto stats = database->stats();
  if (!stats) {
    return failed(stats.error());
  }
  return shown(json_ ? stats_json(*stats) : stats_text(*stats));
}

int DbCommand::check() {
  const auto path = database_.path();
  if (!path) {
    return failed(path.error());
  }
  if (!salvage_.empty()) {
    const auto report = ProfileDatabase::salvage(*path, salvage_);
    if (!report) {
      return failed(report.error());
    }
    std::string text = fmt::format("Saved into {}:\n", printable(salvage_));
    TextTable table({TextTable::Align::left, TextTable::Align::right});
    for (const auto& [name, rows] : report->rows) {
      if (rows > 0) {
        table.row({name, fmt::format("{}", rows)});
      }
    }
    text += table.text(stdout_terminal(), 2);
    for (const std::string& table_name : report->damaged) {
      text += fmt::format("Some rows of {} were lost.\n", printable(table_name));
    }
    if (report->orphans > 0) {
      text += fmt::format("{} left out, because the rows that they refer to were lost.\n",
                          counted(report->orphans, "row"));
    }
    text += fmt::format(
        "Use it with --db {0}, or restore the database from it, even while that is in "
        "use: enprof db restore --db {1} {0}\n",
        printable(shell_quote(salvage_)), printable(shell_quote(path->string())));
    return shown(text);
  }
  auto database = database_.open_to_read(Recovery::no);
  if (!database) {
    return failed(database.error());
  }
  const auto report = database->check();
  if (!report) {
    return failed(report.error());
  }
  if (report->good()) {
    return shown(fmt::format("{} is good.\n", printable(path->string())));
  }
  std::string text;
  for (const std::string& problem : report->problems) {
    text += printable(problem) + "\n";
  }
  if (const int code = shown(text); code != exit_done) {
    return code;
  }
  return failed({ErrorCode::corrupt, fmt::format("The database {} is damaged", path->string()),
                 fmt::format("Save what can be read into a new file: enprof db check --db {0} "
                             "--salvage {0}.salvaged",
                             path->string())});
}

int DbCommand::vacuum() {
  auto database = database_.open_existing();
  if (!database) {
    return failed(database.error());
  }
  const auto before = database->stats();
  if (const auto done = database->vacuum(); !done) {
    return failed(done.error());
  }
  const auto after = database->stats();
  if (!before || !after) {
    return failed(before ? after.error() : before.error());
  }
  return shown(fmt::format("{}: {} before, {} now\n", printable(database->path().string()),
                           format_bytes(before->file_bytes + before->log_bytes),
                           format_bytes(after->file_bytes + after->log_bytes)));
}

int DbCommand::prune() {
  if (!max_age_days_ && !max_runs_) {
    print_error({ErrorCode::invalid_argument, "No rule says which runs to delete",
                 "Pass --max-age-days N, --max-runs N or both."});
    return exit_usage;
  }
  auto database = database_.open_existing();
  if (!database) {
    return failed(database.error());
  }
  PruneRule rule{.max_age = std::nullopt, .max_runs = max_runs_};
  if (max_age_days_) {
    rule.max_age = std::chrono::days{*max_age_days_};
  }
  const auto runs = database->prune(rule, yes_);
  if (!runs) {
    return failed(runs.error());
  }
  std::string message = yes_ ? "No runs to delete." : "No runs would be deleted.";
  if (!runs->empty()) {
    message = yes_
                  ? fmt::format(
                        "Deleted {}. The database reuses their space; to give it back to the disk: "
                        "enprof db vacuum",
                        counted(runs->size(), "run"))
                  : fmt::format("{} would be deleted. To delete: the same with --yes",
                                counted(runs->size(), "run"));
  }
  return shown(table_of(*runs) + wrap(message, stdout_terminal().width, 2) + "\n");
}

int DbCommand::backup() {
  auto database = database_.open_to_read(Recovery::no);
  if (!database) {
    return failed(database.error());
  }
  if (const auto copied = database->backup(target_); !copied) {
    return failed(copied.error());
  }
  return shown(fmt::format(
      "Copied {} to {}\nTo restore it, even while the database is in use: enprof db restore --db "
      "{} {}\n",
      printable(database->path().string()), printable(target_),
      printable(shell_quote(database->path().string())), printable(shell_quote(target_))));
}

int DbCommand::restore() {
  const auto path = database_.path();
  if (!path) {
    return failed(path.error());
  }
  const auto report = ProfileDatabase::restore(*path, copy_);
  if (!report) {
    return failed(report.error());
  }
  std::string text = fmt::format("{} now has the {} of {}\n", printable(path->string()),
                                 counted(report->runs, "run"), printable(copy_));
  if (report->kept) {
    text += fmt::format("The previous content is in {}\n", printable(report->kept->string()));
  }
  return shown(text);
}

int DbCommand::import() {
  auto database = database_.open(Recovery::no);
  if (!database) {
    return failed(database.error());
  }
  const std::vector<std::filesystem::path> journals(journals_.begin(), journals_.end());
  const RecoveryReport report = recover_runs(*database, journals);
  std::string text;
  for (const auto& [run_id, status, from_journal, reason] : report.runs) {
    text +=
        fmt::format("{} run {}: {}{}{}\n", from_journal ? "Imported" : "Closed", printable(run_id),
                    to_string(status), reason.empty() ? "" : ": ", printable(reason));
  }
  if (report.already_there > 0) {
    text += fmt::format("{} skipped: the database has these runs already\n",
                        counted(report.already_there, "journal"));
  }
  if (report.in_the_making > 0) {
    text += fmt::format("{} skipped: other programs are writing them\n",
                        counted(report.in_the_making, "run"));
  }
  if (text.empty() && report.errors.empty()) {
    text = "Nothing to import.\n";
  }
  for (const Error& error : report.errors) {
    print_error(error);
  }
  const int code = shown(text);
  return report.errors.empty() ? code : exit_failed;
}

}  // namespace enprof
