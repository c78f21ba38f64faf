#include "cli/engine_command.hpp"

#include "base/program_path.hpp"
#include "cli/console.hpp"
#include "engines/process/engine_host.hpp"
#include "engines/registry/engine_registry.hpp"

#include <csignal>
#include <cstddef>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace enprof {
namespace {

constexpr const char* kName = "engine-process";

bool is_socket(int descriptor) {
  struct stat status{};
  return fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

void EngineCommand::declare(CLI::App& program) {
  app_ = program.add_subcommand(kName, "Run an engine for another process of enprof");
  app_->group("");  // not for users: left out of the help
}

int EngineCommand::run() {
  if (!is_socket(STDIN_FILENO)) {
    print_error({ErrorCode::invalid_argument,
                 "enprof engine-process is started by enprof serve alone: its standard input is "
                 "not a connection to it",
                 "To profile a prompt: enprof run -m model.gguf -p \"Hello\""});
    return exit_usage;
  }
  // A signal to the whole group or service is for the other process, which ends this one.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  return serve_engine(STDIN_FILENO, engines());
}

std::vector<std::string> EngineCommand::command_line(const CLI::App& program) {
#if defined(__linux__)
  // The same program, even if its file has been replaced meanwhile.
  std::vector<std::string> words{"/proc/self/exe"};
#else
  std::vector<std::string> words{program_path().string()};
#endif
  words.insert(words.end(), program.count("--verbose"), "-v");
  if (program.count("--log-file") > 0) {
    words.emplace_back("--log-file");
    words.push_back(program.get_option("--log-file")->as<std::string>());
  }
  words.emplace_back(kName);
  return words;
}

}  // namespace enprof
