// enprof serve
#pragma once

#include "cli/command.hpp"
#include "cli/shared_options.hpp"
#include "engines/llama/llama_engine.hpp"
#include "server/live_publisher.hpp"
#include "server/run_queue.hpp"
#include "server/server_health.hpp"
#include "server/server_metrics.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace enprof {

class ServeCommand final : public Command {
 public:
  void declare(CLI::App& program) override;
  int run() override;

 private:
  /// What a run needs beside its task.
  struct Bench {
    PowerMonitor* power;
    ProfileDatabase& store;
    LivePublisher& publisher;
    ServerMetrics& metrics;
    ServerHealth& health;
    /// Whether a watcher has asked for operation_metrics.
    std::function<bool()> wants_operations;
  };

  [[nodiscard]] Result<void> choose_token();
  void start_power(PowerMonitor& monitor, ServerHealth& health) const;
  /// Profiles one task, on the queue's thread; what goes wrong is told to the watchers.
  void profile(const RunTask& task, const std::atomic<bool>& cancel, const Bench& bench);
  /// The engine with the task's model: the one of the run before, if it is the same.
  [[nodiscard]] Result<LlamaEngine*> engine_for(const RunTask& task,
                                                const std::atomic<bool>& cancel,
                                                LivePublisher& publisher);

  DatabaseOption database_;
  std::string host_ = "127.0.0.1";
  std::uint16_t port_ = 8000;
  std::string models_dir_ = ".";
  std::string token_;
  std::string power_ = "auto";
  double power_interval_ms_ = to_ms(PowerMonitor::kDefaultInterval);
  double baseline_s_ = 2.0;
  int threads_ = 0;
  int gpu_layers_ = -1;
  std::size_t queue_ = 16;

  // The queue's thread alone touches these.
  std::optional<LlamaEngine> engine_;
  std::string loaded_;  // the model that it has
};

}  // namespace enprof
