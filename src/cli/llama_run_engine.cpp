#include "cli/llama_run_engine.hpp"

#include <filesystem>
#include <map>
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
  auto file = models_.open(task.model);
  if (!file) {
    return std::unexpected(file.error());
  }
  const auto version = FileVersion::of(file->path());
  if (engine_ && model_ == task.model && version && version_ == version) {
    progress(1.0);  // watchers learn which it is
    return {};
  }
  engine_.reset();  // two models at once may not fit
  // Parts of a split model are opened as they are asked for. All stay open until they are loaded.
  std::map<std::filesystem::path, OpenModelFile> parts;
  parts.emplace(task.model, *std::move(file));
  const auto open_as = [&](const std::filesystem::path& name) {
    if (const auto there = parts.find(name); there != parts.end()) {
      return there->second.path();
    }
    auto part = models_.open(name.string());
    return part ? parts.emplace(name, *std::move(part)).first->second.path()
                : std::filesystem::path{};  // which there is not
  };
  auto engine = LlamaEngine::load(
      task.model, {.gpu_layers = options_.gpu_layers,
                   .threads = options_.threads,
                   .progress = [&](float share) { progress(static_cast<double>(share)); },
                   .cancel = &cancel,
                   .open_as = open_as});
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
