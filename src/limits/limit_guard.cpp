#include "limits/limit_guard.hpp"

#include "base/say.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <ranges>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace enprof {
namespace {

constexpr std::string_view kReady = "ready";
constexpr std::string_view kRelease = "release";
constexpr std::string_view kRestored = "restored";

void close_descriptor(int& descriptor) noexcept {
  if (descriptor >= 0) {
    close(descriptor);
    descriptor = -1;
  }
}

/// A line, without its end; what is there at the end of the input counts as one. False if there is
/// none, or none within the time; negative: waits for ever.
bool read_line(int descriptor, std::string& line, int timeout_ms) {
  line.clear();
  for (;;) {
    pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready = poll(&waited, 1, timeout_ms);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (ready <= 0) {
      return false;
    }
    char character = 0;
    const ssize_t count = read(descriptor, &character, 1);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return !line.empty();
    }
    if (character == '\n') {
      return true;
    }
    line += character;
  }
}

bool write_line(int descriptor, std::string text) {
  text += '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = write(descriptor, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::unexpected<Error> no_guard(const std::string& reason) {
  return fail(
      ErrorCode::unavailable,
      fmt::format("The process that restores the machine's limits cannot be started: {}", reason),
      "Without it no limit is changed.");
}

/// What could not be restored, as text; empty if all is as it was.
std::string restore(const std::vector<LimitSetting>& settings) {
  constexpr int kTries = 3;
  std::string failures;
  for (const LimitSetting& setting : settings | std::views::reverse) {
    Result<void> done;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      done = write_limit(setting);
      if (done) {
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    if (!done) {
      failures += fmt::format("{}{} was {}: {}", failures.empty() ? "" : "; ", setting.target,
                              setting.value, done.error().message);
    }
  }
  return failures;
}

}  // namespace

Result<LimitGuard> LimitGuard::start(const std::vector<std::string>& command,
                                     const std::vector<LimitSetting>& present) {
  std::array<int, 2> to_guard{-1, -1};
  std::array<int, 2> from_guard{-1, -1};
  if (pipe2(to_guard.data(), O_CLOEXEC) != 0) {
    return no_guard(std::generic_category().message(errno));
  }
  if (pipe2(from_guard.data(), O_CLOEXEC) != 0) {
    const int number = errno;
    close_descriptor(to_guard[0]);
    close_descriptor(to_guard[1]);
    return no_guard(std::generic_category().message(number));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_guard[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_guard[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::vector<char*> words;
  for (const std::string& word : command) {
    words.push_back(const_cast<char*>(word.c_str()));  // NOLINT: posix_spawn does not change it
  }
  words.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, words.front(), &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close_descriptor(to_guard[0]);
  close_descriptor(from_guard[1]);
  if (error != 0) {
    close_descriptor(to_guard[1]);
    close_descriptor(from_guard[0]);
    return no_guard(std::generic_category().message(error));
  }
  LimitGuard guard(pid, to_guard[1], from_guard[0]);
  constexpr int kPatienceMs = 10'000;
  std::string answer;
  if (!write_line(guard.to_guard_, settings_to_json(present)) ||
      !read_line(guard.from_guard_, answer, kPatienceMs) || answer != kReady) {
    return no_guard(answer.empty() ? "it does not answer" : answer);
  }
  return guard;
}

LimitGuard::LimitGuard(LimitGuard&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      to_guard_(std::exchange(other.to_guard_, -1)),
      from_guard_(std::exchange(other.from_guard_, -1)) {}

LimitGuard& LimitGuard::operator=(LimitGuard&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(to_guard_, other.to_guard_);
  std::swap(from_guard_, other.from_guard_);
  return *this;
}

LimitGuard::~LimitGuard() {
  if (pid_ > 0) {
    static_cast<void>(release());
  }
}

bool LimitGuard::is_alive() const {
  siginfo_t info{};
  return pid_ > 0 &&
         waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

Result<void> LimitGuard::release() {
  if (pid_ <= 0) {
    return {};
  }
  constexpr int kPatienceMs = 60'000;  // a driver may be slow
  std::string answer;
  static_cast<void>(write_line(to_guard_, std::string{kRelease}));
  close_descriptor(to_guard_);
  const bool has_answered = read_line(from_guard_, answer, kPatienceMs);
  close_descriptor(from_guard_);
  if (has_answered) {  // else it may hang in a driver, and goes on alone
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  pid_ = -1;
  if (answer == kRestored) {
    return {};
  }
  return fail(ErrorCode::io,
              fmt::format("Limits of the machine were not restored: {}",
                          answer.empty() ? "the process that does it is gone" : answer),
              "Set them yourself, or restart the machine.");
}

int run_limit_guard(int input, int output) {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP}) {
    std::signal(signal, SIG_IGN);
  }
  std::string line;
  constexpr int kPatienceMs = 10'000;
  if (!read_line(input, line, kPatienceMs)) {
    return 1;
  }
  const auto settings = settings_from_json(line);
  if (!settings) {
    static_cast<void>(write_line(output, settings.error().message));
    return 1;
  }
  if (!write_line(output, std::string{kReady})) {
    return 1;  // nothing was changed
  }
  const bool is_asked = read_line(input, line, -1) && line == kRelease;
  const std::string failures = restore(*settings);
  const bool is_told =
      is_asked && write_line(output, failures.empty() ? std::string{kRestored} : failures);
  if (!failures.empty() && !is_told) {
    say(fmt::format("enprof: error: Limits of the machine were not restored: {}\n", failures));
  } else if (!is_asked) {
    say("enprof: it was ended while limits of the machine were changed; they are restored\n");
  }
  return failures.empty() ? 0 : 1;
}

}  // namespace enprof
