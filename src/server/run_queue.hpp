// Runs that clients have asked for: one at a time, the others wait.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/names.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace enprof {

/// What a client wants to have profiled.
struct RunTask {
  std::string run_id;
  std::string model;  ///< a name of the models' directory
  std::string prompt;
  Depth depth = Depth::module;
  int max_tokens = 128;
  float temperature = 0.0F;
  int top_k = 40;
  float top_p = 0.95F;
  std::uint32_t seed = 0;
  bool chat = false;
  std::vector<std::string> tags;
  std::string experiment;
};

/// Runs orders one after the other on a thread of its own: two inferences at once would be in each
/// other's energy. Threads: any thread may call anything.
class RunQueue {
 public:
  enum class State : std::uint8_t { queued, running };

  /// Does the work of one order; ends early where the flag becomes true. An exception is logged.
  using Work = std::function<void(const RunTask& order, const std::atomic<bool>& cancel)>;
  /// Is told of an order that was cancelled while it waited, on the thread that cancels it,
  /// possibly while another order is worked on. An exception is logged.
  using Drop = std::function<void(const RunTask& order)>;

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

  /// Forgets what waits, asks what runs to end, and waits until it has.
  void stop();

 private:
  void work_until_stopped();

  const std::size_t capacity_;
  const Work work_;
  const Drop drop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RunTask> orders_;
  std::vector<std::string> dropping_;  // cancelled; drop_ has not returned yet
  std::string running_;
  std::atomic<bool> cancel_{false};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace enprof
