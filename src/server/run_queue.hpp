// Runs that clients have requested. They run one at a time; the others wait.
#pragma once

#include "enprof/base/error.hpp"

#include "server/runs_under_way.hpp"
#include "session/run_task.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace enprof {

/// Runs tasks one after the other on its own thread: two inferences at once would be part of each
/// other's energy. Threads: any thread may call anything.
class RunQueue final : public RunsUnderWay {
 public:
  /// Why a task is dropped before it starts.
  enum class Reason : std::uint8_t { cancelled, stopping };

  /// Does the work of one task; ends early if a stop is requested. An exception is logged.
  using Work = std::function<void(const RunTask& task, const std::stop_token& stop)>;
  /// Called for a waiting task that will not run, on the thread that cancels it or stops the queue,
  /// possibly while another task runs. An exception is logged.
  using Drop = std::function<void(const RunTask& task, Reason reason)>;

  RunQueue(std::size_t capacity, Work work, Drop drop);
  ~RunQueue() override;  ///< as stop()

  /// Adds a task; returns the number of tasks before it, including the running one. Errors: busy,
  /// if `capacity` tasks wait; not_running, after stop().
  [[nodiscard]] Result<std::size_t> submit(RunTask task);
  /// Removes a waiting task and returns once it is dropped, or asks the running one to stop. False
  /// if it is neither waiting nor running.
  bool cancel(std::string_view run_id);
  /// A task that is being dropped still counts as waiting.
  [[nodiscard]] std::optional<State> state(std::string_view run_id) const override;
  /// After the waiting ones come those that are being dropped.
  [[nodiscard]] std::vector<std::string> ids() const override;
  [[nodiscard]] std::size_t waiting() const override;
  [[nodiscard]] std::string running() const override;

  /// Asks the running task to stop, drops the waiting ones, and returns once this is done.
  void stop();

 private:
  void work_until_stopped();
  void drop(const RunTask& task, Reason reason) const;

  const std::size_t capacity_;
  const Work work_;
  const Drop drop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RunTask> tasks_;
  std::vector<std::string> dropping_;  // drop_ has not returned yet
  std::string running_;
  std::stop_source stop_running_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace enprof
