// enprof exec
#pragma once

#include "enprof/model/profiled_run.hpp"

#include "base/inherited_descriptors.hpp"
#include "cli/command.hpp"
#include "cli/command_server.hpp"
#include "cli/power_options.hpp"
#include "cli/server_options.hpp"
#include "cli/shared_options.hpp"
#include "report/repeats.hpp"
#include "session/command_session.hpp"

#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Runs a command of another program, and says what energy it took. Its streams, its terminal and
/// its exit code stay its own.
class ExecCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

  /// Takes the other program's command out of ours, after declare() and before ours is parsed: what
  /// follows `--`, or begins with the first word that is neither an option of ours nor its value.
  /// Does nothing for other commands of ours. Call it before any file is opened.
  void take_command(std::vector<std::string>& words);

 private:
  [[nodiscard]] Result<void> check() const;
  [[nodiscard]] CommandTask task(std::string path) const;
  /// Performs it as often as was asked for. Returns the exit code.
  [[nodiscard]] int perform(CommandSession& session, CommandServer* server,
                            const SignalQueue& signals, const CommandTask& task);
  void tell(const CommandOutcome& outcome, std::size_t number) const;
  static void tell_requests(const CommandOutcome& outcome);
  [[nodiscard]] Result<void> write_json(const ProfiledRun& run) const;
  [[nodiscard]] Result<void> report_all() const;
  /// Whether an option takes its value from the next word.
  [[nodiscard]] bool takes_next_word(const std::string& word) const;

  CLI::App* program_ = nullptr;  // owned by the caller of declare()
  std::vector<std::string> words_;
  std::vector<std::string> shown_;  // for the help alone: take_command() takes the command
  std::optional<InheritedDescriptors> descriptors_;
  std::size_t times_ = 1;
  std::optional<double> interval_s_;
  std::optional<double> timeout_s_;
  double kill_after_s_ = 5.0;
  std::string passes_;
  PowerOptions power_;
  std::vector<std::string> tags_;
  std::string experiment_;
  Economics economics_;
  ServerOptions server_;
  DatabaseOption database_;
  bool no_save_ = false;
  bool no_text_ = false;
  bool no_probe_ = false;
  std::string depth_ = "module";
  std::string json_;
  std::vector<Repeat> repeats_;
};

}  // namespace enprof
