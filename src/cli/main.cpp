// The program: chooses a subcommand and maps its outcome to an exit code.
#include "enprof/base/log.hpp"

#include "base/last_words.hpp"
#include "base/say.hpp"
#include "base/standard_streams.hpp"
#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/db_command.hpp"
#include "cli/doctor_command.hpp"
#include "cli/export_command.hpp"
#include "cli/import_command.hpp"
#include "cli/model_command.hpp"
#include "cli/output_file.hpp"
#include "cli/rm_command.hpp"
#include "cli/run_command.hpp"
#include "cli/runs_command.hpp"
#include "cli/serve_command.hpp"
#include "cli/show_command.hpp"
#include "cli/watch_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  enprof run -m model.gguf -p \"Why is the sky blue?\"    profile a prompt\n"
    "  enprof runs                                           what was profiled before\n"
    "  enprof show last                                      the last report again\n"
    "  enprof doctor                                         what works on this machine\n";

struct LogOptions {
  int verbosity = 0;
  std::string file;
};

Result<void> set_up_log(const LogOptions& options) {
  // A log file is there to be read later: it holds what matters without being asked twice.
  const int verbosity = options.verbosity + (options.file.empty() ? 0 : 1);
  switch (verbosity) {
    case 0:  // commands tell of their errors themselves, and runs of their warnings
      set_log_level(LogLevel::off);
      break;
    case 1:
      set_log_level(LogLevel::info);
      break;
    default:
      set_log_level(LogLevel::debug);
      break;
  }
  return options.file.empty() ? Result<void>{} : set_log_file(options.file);
}

/// CLI11's message, in the voice of the program, with where to look further.
int usage_error(const CLI::App& program, const CLI::ParseError& error) {
  std::string command = "enprof";
  std::string message = error.what();
  for (const CLI::App* chosen : program.get_subcommands()) {
    command += " " + chosen->get_name();
    for (const CLI::App* nested : chosen->get_subcommands()) {
      command += " " + nested->get_name();
    }
  }
  // CLI11 would say of a mistyped command that there is none.
  if (const auto rest = program.remaining(); program.get_subcommands().empty() && !rest.empty()) {
    message = fmt::format("Unknown command \"{}\"", rest.front());
  }
  print_error({ErrorCode::invalid_argument, message, fmt::format("See {} --help.", command)});
  return exit_usage;
}

/// --help, --version: what CLI11 would print, where it can be printed.
int show_help(const CLI::App& program, const CLI::ParseError& error) {
  std::ostringstream text;
  program.exit(error, text, text);
  if (const auto written = write_output("-", std::move(text).str()); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_done;
}

int run_program(int argc, char** argv) {
  // A reader that goes away, or a file at its limit (ulimit -f), is a failed write, not our death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);

  CLI::App program{"Energy profiler for LLM inference: joules by phase, token and machine",
                   "enprof"};
  program.footer(kFooter);
  program.set_version_flag("--version", "enprof " ENPROF_VERSION);
  program.require_subcommand(1);
  program.fallthrough();
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  LogOptions log;
  program.add_flag("-v,--verbose", log.verbosity, "Log what happens; twice: everything");
  program.add_option("--log-file", log.file, "Log to a file instead of stderr")->type_name("FILE");

  const std::array<std::unique_ptr<Command>, 11> commands{
      std::make_unique<RunCommand>(),   std::make_unique<RunsCommand>(),
      std::make_unique<ShowCommand>(),  std::make_unique<ExportCommand>(),
      std::make_unique<RmCommand>(),    std::make_unique<ImportCommand>(),
      std::make_unique<DbCommand>(),    std::make_unique<ServeCommand>(),
      std::make_unique<WatchCommand>(), std::make_unique<DoctorCommand>(),
      std::make_unique<ModelCommand>()};
  for (const auto& command : commands) {
    command->declare(program);
  }

  // llama.cpp's own spelling, which CLI11 would take for -n with the value "gl".
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::ranges::replace(arguments, std::string{"-ngl"}, std::string{"--ngl"});
  std::ranges::reverse(arguments);  // as CLI11 wants a vector: the last one first
  try {
    program.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      return show_help(program, error);
    }
    return usage_error(program, error);
  }
  if (const auto ready = set_up_log(log); !ready) {
    print_error(ready.error());
    return exit_failed;
  }
  for (const auto& command : commands) {
    if (command->chosen()) {
      return command->run();
    }
  }
  return exit_usage;
}

/// Says what was thrown. To say it may need memory that there is not.
int report_failure() noexcept {
  try {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      print_error(
          {ErrorCode::too_large, "There is no memory left",
           "Use a smaller model or a smaller --ctx; or raise the limit, where there is one: "
           "ulimit -v unlimited"});
    } catch (const std::system_error& error) {
      const bool refused = error.code() == std::errc::resource_unavailable_try_again;
      print_error({refused ? ErrorCode::unavailable : ErrorCode::internal,
                   fmt::format("The system refused what is needed: {}", error.what()),
                   refused ? "Raise the limits on threads and memory: ulimit -u, ulimit -v"
                           : "Please report it, with the output of the same command and -vv."});
    } catch (const std::exception& error) {
      print_error({ErrorCode::internal,
                   fmt::format("Something went wrong that should not: {}", error.what()),
                   "Please report it, with the output of the same command and -vv."});
    }
  } catch (...) {
    say("enprof: error: there is no memory left\n");
  }
  return exit_failed;
}

}  // namespace
}  // namespace enprof

int main(int argc, char** argv) {
  enprof::reserve_standard_streams();
  enprof::install_last_words();
  try {
    return enprof::run_program(argc, argv);
  } catch (...) {
    return enprof::report_failure();
  }
}
