// A process of its own in which an engine loads one model and generates.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/child_process.hpp"
#include "base/message_socket.hpp"
#include "base/shared_memory.hpp"
#include "engines/open_as.hpp"
#include "engines/process/engine_messages.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace enprof {

/// Whatever ends that process (a failed assertion of the engine, memory that runs out, kill) ends
/// what it was asked for, with an error that says how it ended; this process goes on. A process
/// that does not stop when it is asked to is killed. It ends with this object, or when this process
/// is gone.
/// Threads: one at a time; is_running() and cpu_time() from any.
class EngineProcess {
 public:
  /// Starts `command`, which runs serve_engine(). Errors: those of ChildProcess::start.
  [[nodiscard]] static Result<std::unique_ptr<EngineProcess>> start(
      const std::vector<std::string>& command);

  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;
  ~EngineProcess();

  struct Listener {
    std::function<void(const JsonNode& message)> on_message{};  ///< but the answer
    std::function<void()> on_turn{};  ///< after each message, and at least once a period
    Nanoseconds period = std::chrono::milliseconds{100};
  };
  /// Sends a request and waits for the message that has the member `answer`. Errors: what the
  /// engine's process answers; process_exited; malformed; cancelled, after a stop that it did not
  /// follow in time.
  [[nodiscard]] Result<MessageJson> ask(const MessageJson& request, int descriptor,
                                        std::string_view answer, const std::stop_token& stop,
                                        const Listener& listener);
  /// Sends what has no answer. Whether the process is still there shows with the next answer.
  void tell(const MessageJson& message, int descriptor);
  /// Answers a request for a file: opens it here, where it may be open already.
  void send_file(const JsonNode& path, const OpenAs& open_as);
  /// The descriptor of what the process writes when it has to end (CrashContext).
  [[nodiscard]] int note() const noexcept { return note_.descriptor(); }

  /// Threads: any.
  [[nodiscard]] bool is_running() const noexcept { return running_; }
  /// Of all its threads so far; 0 after its end.
  [[nodiscard]] Nanoseconds cpu_time() const noexcept;
  [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }

  /// The time from a request to stop until it is killed.
  static constexpr Nanoseconds kPatience = std::chrono::seconds{10};

 private:
  EngineProcess(ChildProcess child, MessageSocket socket, SharedMemory note)
      : child_(std::move(child)), socket_(std::move(socket)), note_(std::move(note)) {}
  /// How it ended, as an error.
  [[nodiscard]] Error end();

  ChildProcess child_;
  MessageSocket socket_;
  SharedMemory note_;
  std::atomic<bool> running_{true};
};

}  // namespace enprof
