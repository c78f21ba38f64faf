// The program: runs the chosen subcommand and returns its exit code.
#include "enprof/base/log.hpp"
#include "enprof/base/version.hpp"

#include "base/last_words.hpp"
#include "base/say.hpp"
#include "base/standard_streams.hpp"
#include "base/write_signals.hpp"
#include "cli/bench_command.hpp"
#include "cli/calibrate_command.hpp"
#include "cli/command.hpp"
#include "cli/compare_command.hpp"
#include "cli/console.hpp"
#include "cli/db_command.hpp"
#include "cli/doctor_command.hpp"
#include "cli/engine_command.hpp"
#include "cli/exec_command.hpp"
#include "cli/export_command.hpp"
#include "cli/help_formatter.hpp"
#include "cli/import_command.hpp"
#include "cli/model_command.hpp"
#include "cli/option_values.hpp"
#include "cli/output_file.hpp"
#include "cli/report_command.hpp"
#include "cli/rm_command.hpp"
#include "cli/run_command.hpp"
#include "cli/runs_command.hpp"
#include "cli/serve_command.hpp"
#include "cli/show_command.hpp"
#include "cli/usage_error.hpp"
#include "cli/watch_command.hpp"
#include "limits/limit_guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace enprof {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  enprof run model.gguf \"Why is the sky blue?\"          profile a prompt\n"
    "  enprof exec -- make -j8                               measure any command\n"
    "  enprof runs                                           earlier runs\n"
    "  enprof show last                                      the last report\n"
    "  enprof compare 915eafb8 last                          two runs side by side\n"
    "  enprof doctor                                         what works on this machine\n";

struct LogOptions {
  int verbosity = 0;
  LogLevel least = LogLevel::off;
  std::string file;
};

Result<void> set_up_log(const LogOptions& options) {
  // A log file is there to be read later, so it gets INFO without -v.
  const int verbosity = options.verbosity + (options.file.empty() ? 0 : 1);
  switch (verbosity) {
    case 0:
      set_log_level(options.least);
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

/// Our part of the command line in the order that CLI11 expects, last word first.
std::vector<std::string> arguments_of(std::vector<std::string> words) {
  // `enprof help db check` is `enprof db check --help`, and so is `enprof db help check`.
  const auto help = std::ranges::find(words, "help");
  const bool is_command =
      help != words.end() && std::all_of(words.begin(), help, [](const std::string& word) {
        return word.starts_with('-') || word == "db" || word == "model";
      });
  if (is_command) {
    words.erase(help);
    words.emplace_back("--help");
  }
  // llama.cpp's spellings: CLI11 would parse -ngl as -n with the value "gl".
  for (const char* const spelling : {"-ngl", "-ub", "-pg", "-np", "-ctk", "-ctv", "-fa"}) {
    std::ranges::replace(words, std::string{spelling}, fmt::format("-{}", spelling));
  }
  std::ranges::reverse(words);
  return words;
}

int failed_usage(const Error& error) {
  print_error(error);
  return exit_usage;
}

/// Prints help or version: a result, which goes to stdout.
int print_result(std::string_view text, int exit_code) {
  if (const auto written = write_output("-", text); !written) {
    print_error(written.error());
    return exit_failed;
  }
  return exit_code;
}

/// Prints the help or version that was requested, or the error.
int end_of_parsing(const CLI::App& program, const CLI::ParseError& error) {
  const bool is_asked_for = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  if (const auto unknown = unknown_command(program)) {
    return failed_usage(*unknown);  // help for an unknown command would be that of another
  }
  if (error.get_name() == "CallForVersion") {
    return print_result(fmt::format("enprof {}\n", library_version()), exit_done);
  }
  if (is_asked_for) {
    return print_result(program.help(), exit_done);
  }
  const CLI::App& chosen = chosen_app(program);
  const bool lacks_command =
      error.get_name() == "RequiredError" && chosen.get_require_subcommand_min() > 0;
  if (lacks_command && program.remaining(true).empty()) {
    // Without a command, print the help instead of an error.
    return print_result(program.help(), exit_usage);
  }
  return failed_usage(usage_error(program, error));
}

int run_program(int argc, char** argv) {
  ignore_write_signals();
  if (argc == 2 && std::string_view{argv[1]} == kLimitGuardArgument) {
    return run_limit_guard(STDIN_FILENO, STDOUT_FILENO);
  }

  CLI::App program{"Energy profiler for LLM inference: joules by phase, token and machine",
                   "enprof"};
  program.formatter(std::make_shared<HelpFormatter>(stdout_terminal().width));
  program.set_help_flag("-h,--help", "Print this help");
  program.set_version_flag("-V,--version", fmt::format("enprof {}", library_version()),
                           "Print the version");
  program.require_subcommand(1);
  program.fallthrough();
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  LogOptions log;
  program.add_flag("-v,--verbose", log.verbosity, "Log what matters; twice: everything");
  program.add_option("--log-file", log.file, "Log to a file instead of stderr")
      ->type_name("FILE")
      ->check(not_empty());

  auto exec = std::make_unique<ExecCommand>();
  ExecCommand& exec_command = *exec;
  const std::array<std::unique_ptr<Command>, 17> commands{
      std::make_unique<RunCommand>(),       std::move(exec),
      std::make_unique<RunsCommand>(),      std::make_unique<ShowCommand>(),
      std::make_unique<ExportCommand>(),    std::make_unique<RmCommand>(),
      std::make_unique<ImportCommand>(),    std::make_unique<DbCommand>(),
      std::make_unique<ServeCommand>(),     std::make_unique<WatchCommand>(),
      std::make_unique<DoctorCommand>(),    std::make_unique<ModelCommand>(),
      std::make_unique<CalibrateCommand>(), std::make_unique<CompareCommand>(),
      std::make_unique<BenchCommand>(),     std::make_unique<ReportCommand>(),
      std::make_unique<EngineCommand>()};
  for (const auto& command : commands) {
    command->declare(program);
  }
  program.add_subcommand("help", "The help of a command: enprof help run");
  for (CLI::App* command : program.get_subcommands([](CLI::App*) { return true; })) {
    if (command->get_group().empty()) {
      continue;  // not for users
    }
    command->group("Commands");
    for (CLI::App* nested : command->get_subcommands([](CLI::App*) { return true; })) {
      nested->group("Commands");
    }
  }
  program.footer(kFooter);  // set last: commands would inherit it
  std::vector<std::string> words(argv + 1, argv + argc);
  exec_command.take_command(words);  // nothing here reads the words of another program
  try {
    program.parse(arguments_of(std::move(words)));
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(program, error);
  }
  // Commands print their own errors, and runs their warnings. What fails in a server between two
  // requests appears only in its log.
  log.least = program.got_subcommand("serve") || program.got_subcommand("engine-process")
                  ? LogLevel::warning
                  : LogLevel::off;
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

/// Prints the exception. Printing may itself run out of memory.
int report_failure() noexcept {
  try {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      print_error({ErrorCode::too_large, "There is no memory left",
                   "Use a smaller model or a smaller --ctx; or raise the limit, if there is one: "
                   "ulimit -v unlimited"});
    } catch (const std::system_error& error) {
      const bool refused = error.code() == std::errc::resource_unavailable_try_again;
      print_error({refused ? ErrorCode::unavailable : ErrorCode::internal,
                   fmt::format("The system refused a resource: {}", error.what()),
                   refused ? "Raise the limits on threads and memory: ulimit -u, ulimit -v"
                   : error.code() == std::errc::too_many_files_open
                       ? "Raise the limit on open files: ulimit -n 1024"
                       : "Please report it, with the output of the same command and -vv."});
    } catch (const std::exception& error) {
      print_error({ErrorCode::internal, fmt::format("Internal error: {}", error.what()),
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
