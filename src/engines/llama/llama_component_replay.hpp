// The operations of a llama.cpp model, each class alone.
#pragma once

#include "engines/component_replay.hpp"
#include "engines/llama/replay_graphs.hpp"

#include <cstdint>
#include <memory>
#include <vector>

struct llama_model;

namespace enprof {

/// Takes the operations from the graphs that llama.cpp computes for a prefill and a decode step, so
/// that any architecture is possible. See ReplayGraphs.
class LlamaComponentReplay final : public ComponentReplay {
 public:
  /// `context`: positions that the model can have. `options.threads` is at least 1. Runs three
  /// passes of each phase: the first one warms up, the second one is timed, the last one is stopped
  /// at each operation, to copy it. Errors: unsupported if other backends than the CPU's compute a
  /// part of the model; cancelled; too_large; internal, also if a copy cannot be computed.
  [[nodiscard]] static Result<std::unique_ptr<LlamaComponentReplay>> prepare(
      llama_model& model, int context, const ReplayOptions& options);

  [[nodiscard]] std::span<const ReplayClass> classes() const noexcept override { return classes_; }
  [[nodiscard]] Result<ReplayCount> run(std::size_t index, Nanoseconds at_least,
                                        const std::stop_token& stop) override;

 private:
  LlamaComponentReplay(LlamaContextPtr context, GgmlBackendPtr backend, int threads)
      : context_(std::move(context)), backend_(std::move(backend)), threads_(threads) {}

  [[nodiscard]] Result<void> check(const std::stop_token& stop);

  LlamaContextPtr context_;  // of the caches that the operations read
  GgmlBackendPtr backend_;
  int threads_;
  std::vector<ReplayClass> classes_;
  std::unique_ptr<ReplayGraphs> graphs_;
  std::vector<std::size_t> next_;  // by class: the graph with which it goes on
};

}  // namespace enprof
