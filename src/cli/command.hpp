// A subcommand of the program.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace enprof {

/// The program's exit codes. A run that a signal cancelled exits with 128 + the signal number.
enum ExitCode : int {
  exit_done = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_degraded = 3,   ///< done, but part of the data is missing: under --strict, or not saved
  exit_worse = 4,      ///< of compare --fail-above: B is worse than A by more than that
  exit_undecided = 5,  ///< of compare --fail-above: the data does not allow a verdict
};

/// A subcommand: declares its options, then runs. Lives as long as the program.
class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  /// Adds the subcommand, its options and its help to the program.
  virtual void declare(CLI::App& program) = 0;
  /// Does the work and returns the exit code. Called if the user chose this subcommand.
  virtual int run() = 0;

  [[nodiscard]] bool chosen() const { return app_ != nullptr && app_->parsed(); }

 protected:
  CLI::App* app_ = nullptr;  ///< set by declare; owned by the program
};

}  // namespace enprof
