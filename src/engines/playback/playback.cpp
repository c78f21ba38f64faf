#include "engines/playback/playback.hpp"

#include "base/lower_case.hpp"
#include "engines/playback/playback_model.hpp"
#include "engines/playback/playback_script.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr std::string_view kSuffix = ".playback.json";

class Playback final : public Engine {
 public:
  Playback(const Clock& clock, const Sleeper& sleeper) : clock_(clock), sleeper_(sleeper) {}

  std::string_view name() const noexcept override { return "playback"; }
  std::string_view suffix() const noexcept override { return kSuffix; }
  bool is_model_name(std::string_view file_name) const override {
    const std::string name = lower_case(file_name);
    return name.ends_with(kSuffix) && name.size() > kSuffix.size();
  }
  std::span<const EngineSetting> settings() const noexcept override { return {}; }
  Result<std::unique_ptr<ModelHeader>> read_header(
      const std::filesystem::path& path) const override {
    const auto script = read_playback_file(path);
    if (!script) {
      return std::unexpected(script.error());
    }
    auto header = std::make_unique<ModelHeader>();
    header->trained_context = script->model.context_trained;
    header->facts = script->model;
    return header;
  }
  Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const override {
    const Instant begin = clock_.now();
    const std::filesystem::path opened =
        request.open_as ? request.open_as(request.path) : request.path;
    auto script = read_playback_file(opened);
    if (!script) {
      Error error = std::move(script.error());
      if (const auto at = error.message.find(opened.string()); at != std::string::npos) {
        error.message.replace(at, opened.string().size(), request.path.string());
      }
      return std::unexpected(std::move(error));
    }
    if (request.stop.stop_requested()) {
      return fail(ErrorCode::cancelled,
                  fmt::format("Loading {} was cancelled", request.path.string()));
    }
    ModelFacts& facts = script->model;
    if (facts.name.empty()) {
      facts.name = request.path.filename().string();
    }
    facts.path = request.path.string();
    facts.engine = "playback";
    facts.load_time = clock_.now() - begin;
    if (request.progress) {
      request.progress(1.0);
    }
    return std::make_unique<PlaybackModel>(*std::move(script), clock_, sleeper_);
  }

 private:
  const Clock& clock_;
  const Sleeper& sleeper_;
};

}  // namespace

const Engine& playback() {
  static const Playback engine(monotonic_clock(), monotonic_sleeper());
  return engine;
}

std::unique_ptr<Engine> make_playback(const Clock& clock, const Sleeper& sleeper) {
  return std::make_unique<Playback>(clock, sleeper);
}

}  // namespace enprof
