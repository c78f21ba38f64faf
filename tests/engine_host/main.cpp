// The process of an engine for tests: the playback engine, and one whose models do what their names
// say.
#include "engines/playback/playback.hpp"
#include "engines/process/engine_host.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace enprof {
namespace {

class UnrulyModel final : public LoadedModel {
 public:
  explicit UnrulyModel(std::string way) : way_(std::move(way)) { facts_.name = way_; }
  const ModelFacts& facts() const noexcept override { return facts_; }
  std::size_t most_output_tokens(const GenerateOptions& options) const noexcept override {
    return static_cast<std::size_t>(options.max_tokens);
  }
  int threads(int chosen) const noexcept override { return chosen + 1; }
  Result<GenerateResult> generate(RunScope& run, const GenerateOptions& options) override {
    run.set_prompt_tokens(3);
    run.warn({"engine", "noted", "A warning from the engine", ""});
    for (const char* text : {"one ", "two "}) {
      TokenScope token = run.token(Phase::decode);
      token.set_text(text);
    }
    if (way_ == "abort") {
      std::abort();
    }
    if (way_ == "kill") {
      std::raise(SIGKILL);
    }
    if (way_ == "fail") {
      return fail(ErrorCode::too_large, "It does not fit", "Use less");
    }
    if (way_ == "borders") {
      const Instant end = monotonic_clock().now() + std::chrono::milliseconds{20};
      for (Instant now = monotonic_clock().now(); now < end; now = monotonic_clock().now()) {
        static_cast<void>(run.at_border(now));
      }
    }
    while (way_ == "wait" && !options.stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return GenerateResult{.response = "one two ",
                          .prompt_tokens = 3,
                          .output_tokens = 2,
                          .finish_reason = way_ == "wait" ? "cancelled" : "length"};
  }

 private:
  std::string way_;
  ModelFacts facts_;
};

class UnrulyEngine final : public Engine {
 public:
  std::string_view name() const noexcept override { return "unruly"; }
  std::string_view suffix() const noexcept override { return ".unruly"; }
  bool is_model_name(std::string_view file_name) const override {
    return file_name.ends_with(suffix());
  }
  std::span<const EngineSetting> settings() const noexcept override { return {}; }
  Result<std::unique_ptr<ModelHeader>> read_header(
      const std::filesystem::path& /*path*/) const override {
    auto header = std::make_unique<ModelHeader>();
    header->trained_context = 77;
    return header;
  }
  Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const override {
    const std::string way = request.path.stem().string();
    if (way == "dies_at_load") {
      std::abort();
    }
    if (way == "not_there") {
      return fail(ErrorCode::not_found, "There is no such model", "Look elsewhere");
    }
    request.progress(0.5);
    return std::make_unique<UnrulyModel>(way);
  }
};

}  // namespace
}  // namespace enprof

int main() {
  static const enprof::UnrulyEngine unruly;
  static const std::array<const enprof::Engine*, 2> engines{&enprof::playback(), &unruly};
  return enprof::serve_engine(0, engines);
}
