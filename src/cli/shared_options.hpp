// Options that several subcommands share: the database, the sensors' location, the program's own
// files.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/power/power_monitor.hpp"
#include "enprof/store/profile_database.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace enprof {

/// An environment variable; empty if it is unset or empty.
[[nodiscard]] std::optional<std::string> environment_variable(const char* name);

/// Whether to look for interrupted runs and journals of earlier programs when opening a database.
/// They are imported, and reported on stderr.
enum class Recovery { yes, no };

/// --db PATH.
class DatabaseOption {
 public:
  void declare(CLI::App& app);
  /// The path that was given, else the default one.
  [[nodiscard]] Result<std::filesystem::path> path() const;
  /// Opens the database, and creates it if it is missing.
  [[nodiscard]] Result<ProfileDatabase> open(Recovery recovery = Recovery::yes) const;
  /// Opens an existing database to look something up. A missing database is an error.
  [[nodiscard]] Result<ProfileDatabase> open_existing(Recovery recovery = Recovery::yes) const;
  /// Opens the database to save a run, and creates it if it is missing. If its disk is full but the
  /// one for temporary files is not, reports this on stderr and opens the database as soon as there
  /// is room, so that the run can go on. The hint of an error says how to do without it.
  [[nodiscard]] Result<ProfileDatabase> open_to_save() const;
  /// Opens the database for reading. If the file may not be written, or there is no room for
  /// SQLite's files beside it, it is opened read-only.
  [[nodiscard]] Result<ProfileDatabase> open_to_read(Recovery recovery = Recovery::yes) const;

 private:
  std::string path_;
};

/// --power-interval-ms N.
class PowerIntervalOption {
 public:
  CLI::Option* declare(CLI::App& app);
  /// The argument of PowerMonitor::start: empty unless the option was given.
  [[nodiscard]] std::optional<Nanoseconds> interval() const;

 private:
  std::optional<double> milliseconds_;
};

/// --sensor-accuracy [SOURCE=]PCT,….
class SensorAccuracyOption {
 public:
  CLI::Option* declare(CLI::App& app);
  /// As PowerEnvironment::relative_uncertainty has them.
  [[nodiscard]] const std::map<std::string, double, std::less<>>& by_source() const {
    return by_source_;
  }

 private:
  std::map<std::string, double, std::less<>> by_source_;
};

/// Where the sensors are: ENPROF_SYSFS_ROOT, ENPROF_PROCFS_ROOT, ENPROF_NVML_LIBRARY and
/// ENPROF_POWERMETRICS_COMMAND (words separated by blanks), else those of the real machine.
[[nodiscard]] PowerEnvironment power_environment();

/// The directory of the vocabulary files: ENPROF_VOCAB_DIR, else share/enprof/vocab beside the
/// program's bin directory. Errors: not_found.
[[nodiscard]] Result<std::filesystem::path> vocabulary_directory();

}  // namespace enprof
