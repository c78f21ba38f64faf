// Runs that clients have asked for: one at a time, the others wait.
#pragma once

#include "enprof/base/error.hpp"

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

/// Runs orders one after the other on a thread of its own: two inferences at once would be in each
/// other's energy. Threads: any thread may call anything.
class RunQueue {
 public:
  enum class State : std::uint8_t { queued, running };
  /// Why an order is dropped before its turn.
  enum class Reason : std::uint8_t { cancelled, stopping };

  /// Does the work of one order; ends early where a stop is requested. An exception is logged.
  using Work = std::function<void(const RunTask& order, const std::stop_token& stop)>;
  /// Is told of an order that waited and will not be worked on, on the thread that cancels it or
  /// stops the queue, possibly while another order is worked on. An exception is logged.
  using Drop = std::function<void(const RunTask& order, Reason reason)>;

  RunQueue(std::size_t capacity, Work work, Drop drop);
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;
  ~RunQueue();  ///< as stop()

  /// Takes an order; its place is the number of orders before it, the running one included.
  /// Errors: busy, where `capacity` orders wait; not_running, after stop().
  [[nodiscard]] Result<std::size_t> submit(RunTask order);
  /// Takes a waiting order out and returns once it is dropped, or asks the running one to end.
  /// False where it is neither.
  bool cancel(std::string_view run_id);
  /// Empty where the order is neither waiting nor running. One that is being dropped still waits.
  [[nodiscard]] std::optional<State> state(std::string_view run_id) const;
  /// Of all of them: the running one, those that wait in their order, those that are being dropped.
  [[nodiscard]] std::vector<std::string> ids() const;
  [[nodiscard]] std::size_t waiting() const;
  /// The id of the order under way; empty where there is none.
  [[nodiscard]] std::string running() const;

  /// Asks what runs to end, drops what waits, and returns once both are done.
  void stop();

 private:
  void work_until_stopped();
  void drop(const RunTask& order, Reason reason) const;

  const std::size_t capacity_;
  const Work work_;
  const Drop drop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RunTask> orders_;
  std::vector<std::string> dropping_;  // drop_ has not returned yet
  std::string running_;
  std::stop_source stop_running_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace enprof
