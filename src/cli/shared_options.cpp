#include "cli/shared_options.hpp"

#include "enprof/base/units.hpp"

#include "base/counted.hpp"
#include "base/lower_case.hpp"
#include "base/program_path.hpp"
#include "cli/console.hpp"
#include "cli/option_values.hpp"
#include "profile/save/run_elsewhere.hpp"
#include "profile/save/run_recovery.hpp"
#include "store/database_file.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <iterator>
#include <sstream>
#include <system_error>

namespace enprof {
namespace {

Result<ProfileDatabase> connect(const std::filesystem::path& path, Recovery recovery) {
  auto database = ProfileDatabase::connect(path);
  if (!database || recovery == Recovery::no) {
    return database;
  }
  const RecoveryReport report = recover_runs(*database);
  for (const auto& [run_id, status, from_journal, reason] : report.runs) {
    if (!reason.empty()) {
      print_note(fmt::format("run {} failed: it ended the program: {}. Its data so far is kept",
                             run_id, reason));
      continue;
    }
    print_note(from_journal && status != RunStatus::interrupted
                   ? fmt::format("run {}, which could not be saved when it ended, is in "
                                 "the database now",
                                 run_id)
                   : fmt::format("run {} was interrupted; its data so far is kept", run_id));
  }
  if (!report.errors.empty()) {
    const Error& first = report.errors.front();
    print_note(fmt::format(
        "{} of earlier programs could not be imported. {}{}. {}",
        report.errors.size() == 1 ? std::string{"A run"} : counted(report.errors.size(), "run"),
        report.errors.size() == 1 ? "" : "The first: ", first.message, first.hint));
  }
  return database;
}

}  // namespace

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);  // no code here sets variables
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return value;
}

void DatabaseOption::declare(CLI::App& app) {
  app.add_option("--db", path_, "Database file [$XDG_DATA_HOME/enprof/profiles.db]")
      ->type_name("PATH")
      ->check(not_empty());
}

Result<std::filesystem::path> DatabaseOption::path() const {
  if (!path_.empty()) {
    return std::filesystem::path{path_};
  }
  return ProfileDatabase::default_path();
}

Result<ProfileDatabase> DatabaseOption::open(Recovery recovery) const {
  const auto file = path();
  if (!file) {
    return std::unexpected(file.error());
  }
  return connect(*file, recovery);
}

Result<ProfileDatabase> DatabaseOption::open_existing(Recovery recovery) const {
  const auto file = path();
  if (!file) {
    return std::unexpected(file.error());
  }
  std::error_code failed;
  if (!std::filesystem::exists(*file, failed) && failed) {
    return fail(
        error_code_from_errno(failed.value()),
        fmt::format("The database {} cannot be reached: {}", file->string(), failed.message()),
        "This user may not enter a directory on the path. Name another file with "
        "--db PATH.");
  }
  if (!std::filesystem::exists(*file, failed)) {
    return fail(ErrorCode::not_found, fmt::format("There is no database at {} yet", file->string()),
                "Profile something first: enprof run -m model.gguf -p \"…\"; or name another one "
                "with --db PATH.");
  }
  return connect(*file, recovery);
}

Result<ProfileDatabase> DatabaseOption::open_to_read(Recovery recovery) const {
  const auto file = path();
  std::error_code failed;
  if (file && std::filesystem::is_regular_file(*file, failed) && !may_write_database(*file)) {
    return ProfileDatabase::connect(*file, {.access = Access::read_only});
  }
  auto database = open_existing(recovery);
  if (!database && database.error().code == ErrorCode::too_large) {
    if (auto as_it_is = ProfileDatabase::connect(*file, {.access = Access::read_only})) {
      return as_it_is;
    }
  }
  return database;
}

Result<ProfileDatabase> DatabaseOption::open_to_save() const {
  const auto file = path();
  if (!file) {
    return std::unexpected(file.error());
  }
  auto database = open();
  if (database) {
    return database;
  }
  const std::filesystem::path elsewhere = temporary_directory();
  if (database.error().code != ErrorCode::too_large || !has_room_for_a_run(elsewhere)) {
    std::string& hint = database.error().hint;
    if (hint.empty()) {
      hint = "Pass --db PATH.";
    }
    hint += hint.ends_with('.') ? " " : ". ";
    hint += "Or write the run only to a file: --no-save --json FILE.";
    return database;
  }
  print_note(
      fmt::format("{}. The run goes on, and is saved to a file in {} at its end\n  {} With --json "
                  "FILE it is also written to FILE.",
                  database.error().message, elsewhere.string(), database.error().hint));
  return ProfileDatabase::connect_later(*file);
}

CLI::Option* PowerIntervalOption::declare(CLI::App& app) {
  return app
      .add_option(
          "--power-interval-ms", milliseconds_,
          fmt::format("Milliseconds between readings [{:g}; more if reading would take over "
                      "{:g} % of a CPU]",
                      to_ms(PowerMonitor::kDefaultInterval), PowerMonitor::kCpuShare * 100))
      ->type_name("N")
      ->transform(number(0.1, 60'000.0));
}

std::optional<Nanoseconds> PowerIntervalOption::interval() const {
  return milliseconds_ ? std::optional{from_ms(*milliseconds_)} : std::nullopt;
}

CLI::Option* SensorAccuracyOption::declare(CLI::App& app) {
  const auto parse = [this](const std::string& text) {
    const auto refuse = [](const std::string& why) {
      throw CLI::ValidationError("--sensor-accuracy", why);
    };
    by_source_.clear();
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
      const std::size_t equals = part.find('=');
      const bool is_named = equals != std::string::npos;
      std::string source = is_named ? lower_case(part.substr(0, equals)) : std::string{};
      std::string percent = is_named ? part.substr(equals + 1) : part;
      if (is_named && source.empty()) {
        refuse(fmt::format("names no source before the = in {}", part));
      }
      if (const std::string wrong = number(0.0, 99.0)(percent); !wrong.empty()) {
        refuse(wrong);
      }
      if (!by_source_.emplace(source, std::stod(percent) / 100.0).second) {
        refuse(fmt::format("is given twice for {}", is_named ? source : "all sources"));
      }
    }
  };
  return app
      .add_option_function<std::string>(
          "--sensor-accuracy", parse,
          "Standard uncertainty of the sensors, in per cent of the energy, after comparing them "
          "with a meter [as published]")
      ->type_name("[SOURCE=]PCT,…")
      ->check(not_empty());
}

PowerEnvironment power_environment() {
  PowerEnvironment environment;
  if (const auto root = environment_variable("ENPROF_SYSFS_ROOT")) {
    environment.sysfs_root = *root;
  }
  if (const auto root = environment_variable("ENPROF_PROCFS_ROOT")) {
    environment.procfs_root = *root;
  }
  if (const auto command = environment_variable("ENPROF_POWERMETRICS_COMMAND")) {
    std::istringstream words(*command);
    environment.powermetrics_command.assign(std::istream_iterator<std::string>(words), {});
  }
  if (const auto library = environment_variable("ENPROF_NVML_LIBRARY")) {
    environment.nvml_library = *library;
  }
  return environment;
}

Result<std::filesystem::path> vocabulary_directory() {
  std::filesystem::path directory;
  if (const auto chosen = environment_variable("ENPROF_VOCAB_DIR")) {
    directory = *chosen;
  } else {
    directory = program_path().parent_path().parent_path() / "share" / "enprof" / "vocab";
  }
  std::error_code failed;
  if (!std::filesystem::is_directory(directory, failed)) {
    return fail(ErrorCode::not_found,
                fmt::format("The vocabulary files are not at {}", directory.string()),
                "Set ENPROF_VOCAB_DIR to a directory with llama.cpp's ggml-vocab-*.gguf files.");
  }
  return directory;
}

}  // namespace enprof
