// What several subcommands need: the database, the sensors' whereabouts, the program's own files.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace enprof {

/// Of the environment; empty where it is not set, or to nothing.
[[nodiscard]] std::optional<std::string> environment_variable(const char* name);

/// Whether what earlier programs left behind is looked for when a database is opened: interrupted
/// runs and journals. What is found is brought in, and told on stderr.
enum class Recovery { yes, no };

/// --db PATH.
class DatabaseOption {
 public:
  void declare(CLI::App& app);
  /// The path asked for, else the default one.
  [[nodiscard]] Result<std::filesystem::path> path() const;
  /// Opens it, creating it where it is missing.
  [[nodiscard]] Result<ProfileDatabase> open(Recovery recovery = Recovery::yes) const;
  /// Opens it to look something up: a database that does not exist is an error, not created.
  [[nodiscard]] Result<ProfileDatabase> open_existing(Recovery recovery = Recovery::yes) const;
  /// Opens it to save a run, creating it where it is missing. Where its disk has no room and that
  /// for temporary files has some, it is opened as soon as there is room: the run goes on until
  /// then, which is told on stderr.
  [[nodiscard]] Result<ProfileDatabase> open_to_save() const;
  /// Opens it to read only: where the file may not be written, or there is no room beside it for
  /// what SQLite needs, it is opened all the same, as it is.
  [[nodiscard]] Result<ProfileDatabase> open_to_read(Recovery recovery = Recovery::yes) const;

 private:
  std::string path_;
};

/// --power-interval-ms N.
class PowerIntervalOption {
 public:
  CLI::Option* declare(CLI::App& app);
  /// What PowerMonitor::start takes: empty unless asked for.
  [[nodiscard]] std::optional<Nanoseconds> interval() const;

 private:
  std::optional<double> milliseconds_;
};

/// Where the sensors are: ENPROF_SYSFS_ROOT, ENPROF_PROCFS_ROOT, ENPROF_NVML_LIBRARY and
/// ENPROF_POWERMETRICS_COMMAND (words between blanks), else the real machine.
[[nodiscard]] PowerEnvironment power_environment();

/// The directory of the vocabulary files: ENPROF_VOCAB_DIR, else share/enprof/vocab beside the
/// program's bin. Errors: not_found.
[[nodiscard]] Result<std::filesystem::path> vocabulary_directory();

}  // namespace enprof
