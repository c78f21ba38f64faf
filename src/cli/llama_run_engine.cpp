#include "cli/llama_run_engine.hpp"

#include <utility>

namespace enprof {
namespace {

GenerateOptions options_of(const RunTask& task) {
  return {.prompt = task.prompt,
          .max_tokens = task.max_tokens,
          .seed = task.seed,
          .temperature = task.temperature,
          .top_k = task.top_k,
          .top_p = task.top_p,
          .chat = task.chat};
}

}  // namespace

Result<void> LlamaRunEngine::load(const RunTask& task, const std::atomic<bool>& cancel,
                                  const std::function<void(double)>& progress) {
  const auto path = models_.find(task.model);
  if (!path) {
    return std::unexpected(path.error());
  }
  const auto version = FileVersion::of(*path);
  if (engine_ && model_ == task.model && version && version_ == version) {
    progress(1.0);  // watchers learn which it is
    return {};
  }
  engine_.reset();  // two models at once may not fit
  auto engine = LlamaEngine::load(
      *path, {.gpu_layers = options_.gpu_layers,
              .threads = options_.threads,
              .progress = [&](float share) { progress(static_cast<double>(share)); },
              .cancel = &cancel});
  if (!engine) {
    return std::unexpected(engine.error());
  }
  engine_.emplace(std::move(*engine));
  model_ = task.model;
  version_ = version;
  return {};
}

std::size_t LlamaRunEngine::most_output_tokens(const RunTask& task) const {
  return engine_->most_output_tokens(options_of(task));
}

Result<void> LlamaRunEngine::generate(RunScope& run, const RunTask& task,
                                      const std::atomic<bool>& cancel) {
  GenerateOptions options = options_of(task);
  options.cancel = &cancel;
  const auto generated = engine_->generate(run, options);
  return generated ? Result<void>{} : std::unexpected(generated.error());
}

}  // namespace enprof
