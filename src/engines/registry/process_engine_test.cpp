#include "engines/process/process_engine.hpp"

#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "engines/playback/playback.hpp"
#include "power/counter/border_reader.hpp"
#include "power/counter/counter_file_point.hpp"
#include "support/border_source.hpp"
#include "support/temp_dir.hpp"
#include "support/warning_codes.hpp"

#include <gmock/gmock.h>

#include <array>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kScript = R"({
  "playback": 1,
  "model": {"name": "toy", "architecture": "toy", "layers": 2, "context_trained": 64},
  "prompt_tokens": 4,
  "plans": [
    {"name": "token", "operations": [
      {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 30},
      {"layer": 1, "component": "down_proj", "op": "MUL_MAT", "us": 10}]}],
  "steps": [
    {"phase": "prefill", "sections": [{"name": "forward", "pass": "token"}]},
    {"phase": "decode", "token": "x", "repeat": 10,
     "sections": [{"name": "forward", "pass": "token"}, {"name": "sampling", "us": 10}]}]})";

/// Stands for tests/engine_host's engine of that name in this process.
class Unruly final : public Engine {
 public:
  std::string_view name() const noexcept override { return "unruly"; }
  std::string_view suffix() const noexcept override { return ".unruly"; }
  bool is_model_name(std::string_view /*name*/) const override { return false; }
  std::span<const EngineSetting> settings() const noexcept override { return {}; }
  Result<std::unique_ptr<ModelHeader>> read_header(
      const std::filesystem::path& /*path*/) const override {
    return fail(ErrorCode::internal, "this process reads no header");
  }
  Result<std::unique_ptr<LoadedModel>> load(LoadRequest /*request*/) const override {
    return fail(ErrorCode::internal, "this process loads no model");
  }
};

class ProcessEngineTest : public ::testing::Test {
 protected:
  [[nodiscard]] Result<std::unique_ptr<LoadedModel>> load(const Engine& engine,
                                                          const std::filesystem::path& path) {
    return processes_.stand_in_for(engine).load({.path = path});
  }
  ProfiledRun profile(LoadedModel& model, GenerateOptions options, Depth depth = Depth::deep) {
    options.prompt = "Hello";
    auto run = profiler_.run({.prompt = options.prompt,
                              .depth = depth,
                              .max_output_tokens = model.most_output_tokens(options)});
    result_ = model.generate(run, options);
    return run.finish(result_ ? RunStatus::completed : RunStatus::failed);
  }

  testing::TempDir dir_;
  Unruly unruly_;
  std::array<const Engine*, 2> engines_{&playback(), &unruly_};
  ProcessEngines processes_{{ENPROF_TEST_ENGINE_HOST}, engines_};
  InferencePipelineProfiler profiler_{nullptr, nullptr};
  Result<GenerateResult> result_{};
};

TEST_F(ProcessEngineTest, ARunHasAllThatItsEngineRecorded) {
  const auto model = load(playback(), dir_.write("toy.playback.json", kScript));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->facts().layers, 2);
  std::string heard;
  const ProfiledRun run = profile(
      **model,
      {.max_tokens = 8, .on_token = [&](std::size_t, std::string_view text) { heard += text; }});
  ASSERT_TRUE(result_) << result_.error().message;
  EXPECT_EQ(result_->output_tokens, 8U);
  EXPECT_EQ(heard, "xxxxxxxx");
  EXPECT_EQ(run.response, "xxxxxxxx");
  EXPECT_EQ(run.totals.prompt_tokens, 4U);
  EXPECT_THAT(run.tokens, SizeIs(8));
  EXPECT_THAT(run.phases, SizeIs(::testing::Ge(2)));
  EXPECT_THAT(run.layers, Contains(::testing::Field(&LayerFigure::layer, 1)));
  EXPECT_FALSE(run.operation_table.events.empty());
  for (const Warning& warning : run.warnings) {
    EXPECT_EQ(warning.component, "machine") << warning.message;
  }
  // The phases fill the run, as they do in one process.
  Nanoseconds phases{0};
  for (const PhaseFigure& phase : run.phases) {
    phases += phase.figure.duration;
  }
  EXPECT_EQ(phases, run.totals.figure.duration);
  EXPECT_GT(processes_.cpu_time(), 0ns);
}

TEST_F(ProcessEngineTest, AProcessThatDiesFailsOneRunAndKeepsWhatWasRecorded) {
  for (const auto& [way, how] :
       {std::pair{"abort", "a check in a library failed"}, std::pair{"kill", "signal 9"}}) {
    const auto model = load(unruly_, std::string{way} + ".unruly");
    ASSERT_TRUE(model) << model.error().message;
    const ProfiledRun run = profile(**model, {.max_tokens = 8}, Depth::minimal);
    ASSERT_FALSE(result_);
    EXPECT_EQ(result_.error().code, ErrorCode::process_exited);
    EXPECT_THAT(result_.error().message, HasSubstr("The engine's process"));
    EXPECT_EQ(run.totals.prompt_tokens, 3U);
    ASSERT_THAT(run.tokens, SizeIs(2)) << way;
    EXPECT_EQ(run.tokens[1].text, "two ");
    EXPECT_THAT(testing::warning_codes(run.warnings), Contains("noted"));
    EXPECT_FALSE((*model)->is_usable());
    EXPECT_EQ((*model)->most_output_tokens({.max_tokens = 5}), 0U);
  }
}

TEST_F(ProcessEngineTest, ErrorsOfTheEngineAreItsOwn) {
  const auto missing = load(unruly_, "not_there.unruly");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(),
            (Error{ErrorCode::not_found, "There is no such model", "Look elsewhere"}));
  const auto dead = load(unruly_, "dies_at_load.unruly");
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().code, ErrorCode::process_exited);
  EXPECT_THAT(dead.error().message, HasSubstr("dies_at_load.unruly cannot be loaded"));

  const auto model = load(unruly_, "fail.unruly");
  ASSERT_TRUE(model);
  static_cast<void>(profile(**model, {.max_tokens = 8}));
  ASSERT_FALSE(result_);
  EXPECT_EQ(result_.error(), (Error{ErrorCode::too_large, "It does not fit", "Use less"}));
  EXPECT_TRUE((*model)->is_usable()) << "the process goes on";
  EXPECT_EQ((*model)->threads(4), 5);
}

TEST_F(ProcessEngineTest, TheEnginesThreadReadsTheCountersOfTheRun) {
  const auto file = std::make_shared<CounterFilePoint>();
  file->open(dir_.write("energy_uj", "123456\n"));
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(std::make_unique<testing::BorderSource>(monotonic_clock(), file));
  PowerMonitor monitor(std::move(sources));
  ASSERT_TRUE(monitor.start(1h));
  const auto readers = monitor.border_readers();
  ASSERT_EQ(readers.size(), 1U);
  InferencePipelineProfiler profiler{&monitor, nullptr};
  const auto model = load(unruly_, "borders.unruly");
  ASSERT_TRUE(model) << model.error().message;
  auto run = profiler.run({.depth = Depth::minimal, .max_output_tokens = 8});
  ASSERT_TRUE((*model)->generate(run, {.prompt = "Hello", .max_tokens = 8}));
  BorderReading reading;
  ASSERT_TRUE(readers.front()->take(reading));
  EXPECT_TRUE(reading.has(0));
  EXPECT_EQ(reading.values[0], 123'456U);
  EXPECT_FALSE(readers.front()->claim()) << "the run has it";
  run.finish();
  EXPECT_TRUE(readers.front()->claim());
}

TEST_F(ProcessEngineTest, AGenerationIsCancelled) {
  const auto model = load(unruly_, "wait.unruly");
  ASSERT_TRUE(model);
  std::stop_source stop;
  std::size_t tokens = 0;
  static_cast<void>(profile(
      **model,
      {.max_tokens = 8, .stop = stop.get_token(), .on_token = [&](std::size_t, std::string_view) {
         if (++tokens == 2) {
           stop.request_stop();
         }
       }}));
  ASSERT_TRUE(result_) << result_.error().message;
  EXPECT_EQ(result_->finish_reason, "cancelled");
}

TEST_F(ProcessEngineTest, HeadersAreReadInAProcessToo) {
  const auto header = processes_.stand_in_for(unruly_).read_header("x.unruly");
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ((*header)->trained_context, 77);
}

TEST_F(ProcessEngineTest, ACommandThatIsNoEngineIsAnError) {
  const ProcessEngines others({"/bin/true"}, engines_);
  const auto model = others.stand_in_for(unruly_).load({.path = "wait.unruly"});
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::process_exited);
  const ProcessEngines missing({"/nonexistent/enprof"}, engines_);
  EXPECT_FALSE(missing.stand_in_for(unruly_).load({.path = "wait.unruly"}));
}

}  // namespace
}  // namespace enprof
