// What a server generates with.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "server/run_queue.hpp"

#include <atomic>
#include <cstddef>
#include <functional>

namespace enprof {

/// Loads the models that clients name, and generates under a run's scopes. The server knows no
/// engine but by this. Threads: the queue's one thread.
class RunEngine {
 public:
  RunEngine() = default;
  RunEngine(const RunEngine&) = delete;
  RunEngine& operator=(const RunEngine&) = delete;
  virtual ~RunEngine() = default;

  /// Makes the task's model ready: at once, where it is that of the task before. Ends early where
  /// the flag becomes true. `progress` is told the share that is loaded, 0–1.
  [[nodiscard]] virtual Result<void> load(const RunTask& task, const std::atomic<bool>& cancel,
                                          const std::function<void(double)>& progress) = 0;
  /// Output tokens that a task can have, once its model is ready: sizes what is kept of its run.
  [[nodiscard]] virtual std::size_t most_output_tokens(const RunTask& task) const = 0;
  [[nodiscard]] virtual Result<void> generate(RunScope& run, const RunTask& task,
                                              const std::atomic<bool>& cancel) = 0;
};

}  // namespace enprof
