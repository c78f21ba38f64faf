#include "engines/process/engine_process.hpp"

#include "base/log.hpp"
#include "base/parsed_json.hpp"
#include "profile/save/json_columns.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstddef>
#include <exception>
#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <string>
#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is POSIX, not C++
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"engine"};
constexpr std::size_t kNoteBytes = 4096;
/// How long a process that has closed its connection may take to end.
constexpr Nanoseconds kEndTime = std::chrono::seconds{2};

}  // namespace

Result<std::unique_ptr<EngineProcess>> EngineProcess::start(
    const std::vector<std::string>& command) {
  auto ends = MessageSocket::make_pair();
  if (!ends) {
    return std::unexpected(std::move(ends.error()));
  }
  auto note = SharedMemory::make("enprof-note", kNoteBytes);
  if (!note) {
    return std::unexpected(std::move(note.error()));
  }
  auto child =
      ChildProcess::start(command, {.input = ends->second.descriptor(), .shares_errors = true});
  if (!child) {
    return std::unexpected(std::move(child.error()));
  }
  kLog.debug("Process {} runs the engine", child->pid());
  return std::unique_ptr<EngineProcess>(
      new EngineProcess(*std::move(child), std::move(ends->first), *std::move(note)));
}

EngineProcess::~EngineProcess() {
  if (running_) {
    socket_.close();  // it ends by itself, at once
    static_cast<void>(child_.wait(kEndTime));
  }
}

Error EngineProcess::end() {
  running_ = false;
  socket_.close();
  const auto how = child_.wait(kEndTime);
  const char* const text = reinterpret_cast<const char*>(note_.bytes().data());
  std::string reason(text, strnlen(text, kNoteBytes));
  while (reason.ends_with('\n')) {
    reason.pop_back();
  }
  Error error{.code = ErrorCode::process_exited,
              .message = fmt::format("The engine's process {} ended: {}", child_.pid(),
                                     how ? to_string(*how) : "it closed its connection"),
              .hint = "Use another conversion of the model, a smaller one, or a smaller context."};
  if (!reason.empty()) {
    error.message += fmt::format("; before that it said: {}", reason);
  } else if (how && how->signal == SIGKILL) {
    error.hint =
        "If memory ran out, the kernel's log says so: dmesg | grep -i 'out of memory'. "
        "Use a smaller model, or a smaller context.";
  }
  return error;
}

Nanoseconds EngineProcess::cpu_time() const noexcept {
  clockid_t clock{};
  timespec used{};
  if (!running_ || clock_getcpuclockid(child_.pid(), &clock) != 0 ||
      clock_gettime(clock, &used) != 0) {
    return Nanoseconds{0};
  }
  return std::chrono::seconds{used.tv_sec} + Nanoseconds{used.tv_nsec};
}

void EngineProcess::send_file(const JsonNode& path, const OpenAs& open_as) {
  const std::string name = bytes_from_json(path);
  const std::string by = open_as ? open_as(name).string() : name;
  const OwnedDescriptor file(by.empty() ? -1 : ::open(by.c_str(), O_RDONLY | O_CLOEXEC));
  tell({{"do", "opened"}, {"path", bytes_to_json(by)}}, file.get());
}

void EngineProcess::tell(const MessageJson& message, int descriptor) {
  if (const auto sent = socket_.send(message_text(message), descriptor); !sent) {
    kLog.debug("{}", sent.error().message);
  }
}

Result<MessageJson> EngineProcess::ask(const MessageJson& request, int descriptor,
                                       std::string_view answer, const std::stop_token& stop,
                                       const Listener& listener) {
  if (!is_running()) {
    return fail(ErrorCode::process_exited, "The engine's process has ended");
  }
  if (!socket_.send(message_text(request), descriptor)) {
    return std::unexpected(end());
  }
  std::optional<Instant> asked_to_stop;
  for (;;) {
    if (stop.stop_requested()) {
      const Instant now = monotonic_clock().now();
      if (!asked_to_stop) {
        asked_to_stop = now;
        static_cast<void>(socket_.send(message_text({{"do", "stop"}})));
      } else if (now - *asked_to_stop > kPatience) {
        kLog.warning("Process {} of the engine does not stop, and is killed", child_.pid());
        ::kill(child_.pid(), SIGKILL);
        static_cast<void>(end());
        return fail(ErrorCode::cancelled, "The engine did not stop in time, and was killed");
      }
    }
    auto message = socket_.receive(listener.period);
    if (!message) {
      return std::unexpected(end());
    }
    try {
      if (!*message) {
        if (listener.on_turn) {
          listener.on_turn();
        }
        continue;
      }
      ParsedJson parsed = parse_json((*message)->text, true);
      const JsonNode node(parsed.json, "a message of the engine's process");
      if (const JsonNode error = node.at("error"); error.is_there()) {
        return std::unexpected(error_from_json(error));
      }
      if (node.at(answer).is_there()) {
        return std::move(parsed.json);
      }
      if (listener.on_message) {
        listener.on_message(node);
      }
      if (listener.on_turn) {
        listener.on_turn();
      }
    } catch (const std::exception& error) {
      ::kill(child_.pid(), SIGKILL);
      static_cast<void>(end());
      return fail(
          ErrorCode::malformed,
          fmt::format("The engine's process sent something else than it should: {}", error.what()));
    }
  }
}

}  // namespace enprof
