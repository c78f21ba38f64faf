#include "base/child_process.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <mutex>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill and sigset_t are POSIX, not C++
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

extern char** environ;  // NOLINT(readability-identifier-naming): POSIX names it

namespace enprof {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// The processes that are ours, from their start until they are reaped.
class Registry {
 public:
  /// Starts a process. Nobody asks for it before it is in the list.
  template <class Spawn>
  int start(pid_t& pid, const Spawn& spawn) {
    const std::lock_guard lock(mutex_);
    pids_.reserve(pids_.size() + 1);
    const int error = spawn();
    if (error == 0) {
      pids_.push_back(pid);
    }
    return error;
  }
  void remove(pid_t pid) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase(pids_, pid);
  }
  [[nodiscard]] bool has(pid_t pid) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(pids_, pid) != pids_.end();
  }

 private:
  std::mutex mutex_;
  std::vector<pid_t> pids_;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

/// Programs that had not ended when we stopped waiting for them.
class Stragglers {
 public:
  void add(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pids_.push_back(pid);
  }
  void reap() {
    const std::lock_guard lock(mutex_);
    std::erase_if(pids_, [](pid_t pid) {
      int status = 0;
      if (waitpid(pid, &status, WNOHANG) == 0) {
        return false;
      }
      registry().remove(pid);
      return true;  // it has ended, or is not our child any more
    });
  }

 private:
  std::mutex mutex_;
  std::vector<pid_t> pids_;
};

Stragglers& stragglers() {
  static Stragglers instance;
  return instance;
}

void close_and_forget(int& descriptor) {
  if (descriptor >= 0) {
    ::close(descriptor);
    descriptor = -1;
  }
}

/// Moves a descriptor above 0, 1 and 2: if we were started without these, pipes get their numbers.
bool move_above_standard(int& descriptor) {
  if (descriptor > STDERR_FILENO) {
    return true;
  }
  const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close_and_forget(descriptor);
  descriptor = moved;
  return moved >= 0;
}

/// Both ends of a pipe; the destructor closes them.
struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_and_forget(read_end);
    close_and_forget(write_end);
  }

  [[nodiscard]] bool open() {
    std::array<int, 2> ends{};
#if defined(__linux__)
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      return false;
    }
#else
    if (pipe(ends.data()) != 0) {
      return false;
    }
    for (const int end : ends) {
      fcntl(end, F_SETFD, FD_CLOEXEC);
    }
#endif
    read_end = ends[0];
    write_end = ends[1];
    return move_above_standard(read_end) && move_above_standard(write_end);
  }
};

/// What the new process does before it executes the program. Functions return an errno, or 0.
class SpawnPlan {
 public:
  SpawnPlan() = default;
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    if (has_actions_) {
      posix_spawn_file_actions_destroy(&actions_);
    }
    if (has_attributes_) {
      posix_spawnattr_destroy(&attributes_);
    }
  }

  [[nodiscard]] int make(int input, int output, int errors) {
    return first_error({plan_descriptors(input, output, errors), plan_attributes()});
  }
  [[nodiscard]] int spawn(pid_t& pid, const char* program, const std::vector<char*>& arguments,
                          const std::vector<char*>& environment) const {
    return posix_spawn(&pid, program, &actions_, &attributes_, arguments.data(),
                       environment.data());
  }

 private:
  static int first_error(std::initializer_list<int> errors) {
    const auto* const found = std::ranges::find_if(errors, [](int error) { return error != 0; });
    return found == errors.end() ? 0 : *found;
  }

  [[nodiscard]] int plan_descriptors(int input, int output, int errors) {
    if (const int error = posix_spawn_file_actions_init(&actions_); error != 0) {
      return error;
    }
    has_actions_ = true;
    return first_error({
        posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO),
        posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO),
        posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO),
#if defined(__GLIBC__)
        // Descriptors that libraries opened without O_CLOEXEC. macOS has an attribute for that.
        posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1),
#endif
    });
  }

  [[nodiscard]] int plan_attributes() {
    if (const int error = posix_spawnattr_init(&attributes_); error != 0) {
      return error;
    }
    has_attributes_ = true;
    int flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    return first_error({posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)),
                        posix_spawnattr_setpgroup(&attributes_, 0),
                        posix_spawnattr_setsigdefault(&attributes_, &all),
                        posix_spawnattr_setsigmask(&attributes_, &none)});
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  bool has_actions_ = false;
  bool has_attributes_ = false;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

/// Our environment, but with messages in English, because we interpret them.
std::vector<std::string> child_environment() {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("LC_ALL=") && !text.starts_with("LANGUAGE=")) {
      result.emplace_back(text);
    }
  }
  result.emplace_back("LC_ALL=C");
  return result;
}

std::unexpected<Error> cannot_start(const std::vector<std::string>& command, int error_number) {
  ErrorCode code = error_code_from_errno(error_number);
  if (code == ErrorCode::io || code == ErrorCode::too_large) {
    code = ErrorCode::unavailable;  // no processes, descriptors or memory left
  }
  return fail(code, fmt::format("Cannot start {}: {} (errno {})", fmt::join(command, " "),
                                std::generic_category().message(error_number), error_number));
}

void make_non_blocking(int descriptor) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

}  // namespace

std::string to_string(const ExitStatus& status) {
  if (status.signal != 0) {
    const char* name = strsignal(status.signal);  // NOLINT(concurrency-mt-unsafe): a constant text
    return fmt::format("signal {} ({})", status.signal, name != nullptr ? name : "unknown");
  }
  return status.code ? fmt::format("exit code {}", *status.code) : "unknown exit code";
}

bool is_child_process(pid_t pid) { return registry().has(pid); }

std::vector<std::string> program_directories() {
  const char* variable = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): never set
  std::string_view rest = variable != nullptr ? variable : "/usr/bin:/bin";
  std::vector<std::string> directories;
  for (;;) {
    const auto colon = rest.find(':');
    directories.emplace_back(colon == 0 || rest.empty() ? "." : rest.substr(0, colon));
    if (colon == std::string_view::npos) {
      return directories;
    }
    rest.remove_prefix(colon + 1);
  }
}

std::vector<std::string> paths_of_program(std::string_view name) {
  if (name.empty()) {
    return {};
  }
  if (name.find('/') != std::string_view::npos) {
    return {std::string{name}};
  }
  std::vector<std::string> paths;
  for (const std::string& directory : program_directories()) {
    paths.push_back(fmt::format("{}/{}", directory, name));
  }
  return paths;
}

std::optional<std::string> find_program(std::string_view name) {
  // A path that cannot be executed is found: starting it says why.
  const int needed = name.find('/') != std::string_view::npos ? F_OK : X_OK;
  for (std::string& path : paths_of_program(name)) {
    if (access(path.c_str(), needed) == 0) {
      return std::move(path);
    }
  }
  return std::nullopt;
}

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& command,
                                         const Streams& streams) {
  stragglers().reap();
  if (command.empty() || command.front().empty()) {
    return fail(ErrorCode::invalid_argument, "The command is empty: it names no program");
  }
  const auto program = find_program(command.front());
  if (!program) {
    return fail(ErrorCode::not_found, fmt::format("There is no program {}", command.front()));
  }
  Pipe output;
  Pipe errors;
  if (!output.open() || (!streams.shares_errors && !errors.open())) {
    return cannot_start(command, errno);
  }
  int input = streams.input >= 0 ? fcntl(streams.input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                                 : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (input < 0 || !move_above_standard(input)) {
    return cannot_start(command, errno);
  }

  std::vector<std::string> texts = command;
  std::vector<std::string> variables = child_environment();
  pid_t pid = -1;
  SpawnPlan plan;
  int error =
      plan.make(input, output.write_end, streams.shares_errors ? STDERR_FILENO : errors.write_end);
  if (error == 0) {
    error = registry().start(pid, [&] {
      return plan.spawn(pid, program->c_str(), pointers(texts), pointers(variables));
    });
  }
  close_and_forget(input);
  if (error != 0) {
    return cannot_start(command, error);
  }
  make_non_blocking(output.read_end);
  if (!streams.shares_errors) {
    make_non_blocking(errors.read_end);
  }
  return ChildProcess(pid, std::exchange(output.read_end, -1), std::exchange(errors.read_end, -1));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      errors_(std::exchange(other.errors_, -1)),
      error_text_(std::move(other.error_text_)),
      status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    output_ = std::exchange(other.output_, -1);
    errors_ = std::exchange(other.errors_, -1);
    error_text_ = std::move(other.error_text_);
    status_ = other.status_;
  }
  return *this;
}

ChildProcess::~ChildProcess() { end(); }

bool ChildProcess::read_output(std::string& text, std::size_t limit) {
  constexpr std::size_t kPiece = 16'384;
  std::array<char, kPiece> piece{};
  while (output_ >= 0 && limit > 0) {
    const ssize_t count = ::read(output_, piece.data(), std::min(limit, piece.size()));
    if (count > 0) {
      text.append(piece.data(), static_cast<std::size_t>(count));
      limit -= static_cast<std::size_t>(count);
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else {
      close_and_forget(output_);
    }
  }
  return output_ >= 0;
}

void ChildProcess::wait_for_output(Nanoseconds timeout) {
  if (output_ < 0 || timeout <= Nanoseconds{0}) {
    return;
  }
  // Rounded up: else the last fraction of a millisecond would be spent in a busy loop.
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  pollfd watched{.fd = output_, .events = POLLIN, .revents = 0};
  static_cast<void>(
      ::poll(&watched, 1, static_cast<int>(std::min<long long>(milliseconds, 60'000))));
}

const std::string& ChildProcess::errors() {
  std::array<char, 1024> piece{};
  while (errors_ >= 0) {
    const ssize_t count = ::read(errors_, piece.data(), piece.size());
    if (count > 0) {
      error_text_.append(piece.data(), static_cast<std::size_t>(count));
      if (error_text_.size() > kErrorsKept) {
        error_text_.erase(0, error_text_.size() - kErrorsKept);
      }
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      break;
    } else {
      close_and_forget(errors_);
    }
  }
  return error_text_;
}

std::optional<ExitStatus> ChildProcess::wait(Nanoseconds timeout) {
  constexpr auto kPause = std::chrono::milliseconds{2};
  const auto until = SteadyClock::now() + timeout;
  while (!reap() && SteadyClock::now() < until) {
    std::this_thread::sleep_for(kPause);
  }
  return status_;
}

bool ChildProcess::reap() noexcept {
  if (status_ || pid_ < 0) {
    return true;
  }
  siginfo_t info{};
  const int found = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (found == 0 && info.si_pid == 0) {
    return false;
  }
  // Ends the processes that it left behind. Until we reap it, its group's number stays its own; if
  // another part of the program has reaped it, the number may belong to a foreign process by now.
  if (found == 0) {
    ::kill(-pid_, SIGKILL);
  }
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  registry().remove(pid_);
  status_.emplace();  // unknown if another part of the program reaped it
  if (ended == pid_ && WIFEXITED(status)) {
    status_->code = WEXITSTATUS(status);
  } else if (ended == pid_ && WIFSIGNALED(status)) {
    status_->signal = WTERMSIG(status);
  }
  return true;
}

void ChildProcess::end() noexcept {
  close_and_forget(output_);
  close_and_forget(errors_);
  if (pid_ < 0) {
    return;
  }
  // The group first: this includes the programs that it started. Fails if they are another user's.
  if (!reap()) {
    ::kill(-pid_, SIGTERM);
    if (!wait(kGrace)) {
      ::kill(-pid_, SIGKILL);
      if (!wait(kPatience - kGrace)) {
        try {
          stragglers().add(pid_);
        } catch (...) {  // out of memory: it stays a zombie until our process ends
          status_.reset();
        }
      }
    }
  }
  pid_ = -1;
  stragglers().reap();
}

}  // namespace enprof
