#include "engines/llama/llama.hpp"

#include "base/lower_case.hpp"
#include "engines/llama/llama_engine.hpp"
#include "engines/llama/llama_model_file.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kSuffix = ".gguf";
constexpr std::string_view kGpuLayers = "gpu_layers";
constexpr std::string_view kWarmUp = "warm_up";
constexpr std::array kSettings{
    EngineSetting{.name = kGpuLayers,
                  .flags = "--ngl,--gpu-layers",
                  .help = "Layers to offload to the GPU; -1: all",
                  .least = -1,
                  .most = 100'000,
                  .usual = -1},
    EngineSetting{.name = kWarmUp,
                  .flags = "--no-warmup",
                  .help = "Do not run the model once before measuring",
                  .least = 0,
                  .most = 1,
                  .usual = 1,
                  .is_flag = true},
};

/// NAME-00002-of-00003: such a model is loaded by its first part.
bool is_later_part(std::string_view stem) {
  constexpr std::string_view kShape = "-00000-of-00000";
  if (stem.size() <= kShape.size()) {
    return false;
  }
  const std::string_view end = stem.substr(stem.size() - kShape.size());
  const auto is_alike = [](char shape, char c) {
    return shape == '0' ? c >= '0' && c <= '9' : shape == c;
  };
  return std::ranges::equal(kShape, end, is_alike) && end.substr(1, 5) != "00001";
}

std::int64_t value_of(const LoadRequest& request, std::string_view name) {
  const auto chosen = request.settings.find(name);
  return chosen != request.settings.end()
             ? chosen->second
             : std::ranges::find(kSettings, name, &EngineSetting::name)->usual;
}

struct LlamaHeader final : ModelHeader {
  explicit LlamaHeader(LlamaModelFile opened) : file(std::move(opened)) {
    trained_context = file.trained_context();
    facts = file.facts();
  }
  LlamaModelFile file;
};

class LlamaModel final : public LoadedModel {
 public:
  explicit LlamaModel(LlamaEngine engine) : engine_(std::move(engine)) {}

  const ModelFacts& facts() const noexcept override { return engine_.facts(); }
  std::size_t most_output_tokens(const GenerateOptions& options) const noexcept override {
    return engine_.most_output_tokens(options);
  }
  Result<GenerateResult> generate(RunScope& run, const GenerateOptions& options) override {
    return engine_.generate(run, options);
  }
  int threads(int chosen) const noexcept override { return engine_.threads(chosen); }
  Result<ScoreResult> score(const ScoreRequest& request) override { return engine_.score(request); }
  Result<std::unique_ptr<ComponentReplay>> prepare_replay(const ReplayOptions& options) override {
    return engine_.prepare_replay(options);
  }

 private:
  LlamaEngine engine_;
};

class Llama final : public Engine {
 public:
  std::string_view name() const noexcept override { return "llama.cpp"; }
  std::string_view suffix() const noexcept override { return kSuffix; }
  bool is_model_name(std::string_view file_name) const override {
    const std::string name = lower_case(file_name);
    return name.ends_with(kSuffix) && !name.starts_with("mmproj") &&  // a projector for images
           !is_later_part(std::string_view{name}.substr(0, name.size() - kSuffix.size()));
  }
  std::span<const EngineSetting> settings() const noexcept override { return kSettings; }
  Result<std::unique_ptr<ModelHeader>> read_header(
      const std::filesystem::path& path) const override {
    auto file = LlamaModelFile::open(path);
    if (!file) {
      return std::unexpected(std::move(file.error()));
    }
    return std::make_unique<LlamaHeader>(*std::move(file));
  }
  Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const override {
    LoadOptions options{.gpu_layers = static_cast<int>(value_of(request, kGpuLayers)),
                        .threads = request.threads,
                        .warm_up = value_of(request, kWarmUp) != 0,
                        .stop = request.stop,
                        .open_as = request.open_as};
    if (request.progress) {
      options.progress = [&](float share) { request.progress(static_cast<double>(share)); };
    }
    auto* const header = dynamic_cast<LlamaHeader*>(request.header.get());
    auto engine = header != nullptr ? LlamaEngine::load(std::move(header->file), options)
                                    : LlamaEngine::load(request.path, options);
    if (!engine) {
      return std::unexpected(std::move(engine.error()));
    }
    return std::make_unique<LlamaModel>(std::move(*engine));
  }
};

}  // namespace

const Engine& llama() {
  static const Llama engine;
  return engine;
}

}  // namespace enprof
