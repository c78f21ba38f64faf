#include "engines/playback/playback_model.hpp"

#include "engines/playback/playback_hooks.hpp"
#include "profile/deep_profiler.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

namespace enprof {
namespace {

/// How soon a stop is noticed.
constexpr Nanoseconds kLongestSleep = std::chrono::milliseconds{20};

}  // namespace

/// One generation under way.
struct PlaybackModel::Playing {
  Playing(const PlaybackScript& script, RunScope& its_run, const std::stop_token& its_stop)
      : run(its_run), stop(its_stop), hooks(script, run), profiler(attach_profiler(run, hooks)) {}

  RunScope& run;
  const std::stop_token& stop;
  PlaybackHooks hooks;
  std::unique_ptr<LayerProfiler> profiler;  // null where none is needed
};

PlaybackModel::PlaybackModel(PlaybackScript script, const Clock& clock, const Sleeper& sleeper)
    : script_(std::move(script)), clock_(clock), sleeper_(sleeper) {}

std::size_t PlaybackModel::most_output_tokens(const GenerateOptions& options) const noexcept {
  return std::min(script_.tokens(), static_cast<std::size_t>(std::max(options.max_tokens, 0)));
}

bool PlaybackModel::wait(Nanoseconds length, const std::stop_token& stop) const {
  const Instant end = clock_.now() + length;
  for (Instant now = clock_.now(); now < end && !stop.stop_requested(); now = clock_.now()) {
    sleeper_.sleep_until(std::min(end, now + kLongestSleep));
  }
  return !stop.stop_requested();
}

bool PlaybackModel::play_pass(std::size_t plan, Playing& playing) const {
  const std::vector<Nanoseconds>& lengths = script_.plans[plan].lengths;
  const Instant begin = clock_.now();
  if (!wait(std::accumulate(lengths.begin(), lengths.end(), Nanoseconds{0}), playing.stop)) {
    return false;
  }
  if (const Result<void> hooked = playing.hooks.end_pass(plan, begin);
      !hooked && playing.profiler) {
    playing.profiler->fall_back(hooked.error());
  }
  return true;
}

bool PlaybackModel::play(const PlaybackStep& step, Playing& playing) const {
  for (const PlaybackSection& section : step.sections) {
    const SectionScope scope = playing.run.section(step.phase, section.name);
    if (!wait(section.length, playing.stop) ||
        (section.plan && !play_pass(*section.plan, playing))) {
      return false;
    }
  }
  return true;
}

Result<GenerateResult> PlaybackModel::generate(RunScope& run, const GenerateOptions& options) {
  Playing playing(script_, run, options.stop);
  run.set_model(script_.model);
  run.set_prompt_tokens(script_.prompt_tokens);

  GenerateResult result{.response = {},
                        .prompt_tokens = script_.prompt_tokens,
                        .output_tokens = 0,
                        .finish_reason = "end_of_generation"};
  const std::size_t most = most_output_tokens(options);
  bool goes_on = true;
  const auto play_token = [&](const PlaybackStep& step) {
    if (result.output_tokens >= most) {
      result.finish_reason = "length";
      return;  // what comes after the tokens is played all the same
    }
    {
      TokenScope token = run.token(step.phase);
      goes_on = play(step, playing);
      token.set_text(*step.token);
    }
    if (options.on_token) {
      options.on_token(result.output_tokens, *step.token);
    }
    result.response += *step.token;
    ++result.output_tokens;
  };
  for (const PlaybackStep& step : script_.steps) {
    if (step.failure) {
      run.set_response(result.response);
      return std::unexpected(*step.failure);
    }
    run.enter(step.phase);
    for (std::size_t turn = 0; goes_on && turn < step.repeat; ++turn) {
      if (step.token) {
        play_token(step);
      } else {
        goes_on = play(step, playing);
      }
    }
    if (!goes_on) {
      result.finish_reason = "cancelled";
      break;
    }
  }
  run.set_response(result.response);
  run.set_finish_reason(result.finish_reason);
  return result;
}

/// The classes of the plans, each by the phase of the passes that follow it.
class PlaybackModel::Replay final : public ComponentReplay {
 public:
  explicit Replay(const PlaybackModel& model) : model_(model) {
    std::set<std::pair<Phase, std::size_t>> seen;
    for (const PlaybackStep& step : model.script_.steps) {
      for (const PlaybackSection& section : step.sections) {
        if (section.plan && seen.emplace(step.phase, *section.plan).second) {
          add(step.phase, model.script_.plans[*section.plan]);
        }
      }
    }
  }

  std::span<const ReplayClass> classes() const noexcept override { return classes_; }

  Result<ReplayCount> run(std::size_t index, Nanoseconds at_least,
                          const std::stop_token& stop) override {
    const ReplayClass& one = classes_[index];
    const Nanoseconds operation =
        std::max(one.pass_time / static_cast<Nanoseconds::rep>(one.operations), Nanoseconds{1});
    const Nanoseconds::rep count =
        std::max<Nanoseconds::rep>(1, (at_least + operation - Nanoseconds{1}) / operation);
    if (!model_.wait(count * operation, stop)) {
      return fail(ErrorCode::cancelled, "The calibration was cancelled");
    }
    return ReplayCount{.operations = static_cast<std::size_t>(count), .time = count * operation};
  }

 private:
  void add(Phase phase, const PlaybackPlan& plan) {
    for (std::size_t index = 0; index < plan.lengths.size(); ++index) {
      const OperationInfo& info = plan.plan.operations[index];
      auto one = std::ranges::find_if(classes_, [&](const ReplayClass& other) {
        return other.phase == phase && other.component == info.component && other.op == info.op;
      });
      if (one == classes_.end()) {
        classes_.push_back({.phase = phase, .component = info.component, .op = info.op});
        one = classes_.end() - 1;
      }
      ++one->operations;
      one->pass_time += plan.lengths[index];
    }
  }

  const PlaybackModel& model_;
  std::vector<ReplayClass> classes_;
};

Result<std::unique_ptr<ComponentReplay>> PlaybackModel::prepare_replay(
    const ReplayOptions& /*options*/) {
  auto replay = std::make_unique<Replay>(*this);
  if (replay->classes().empty()) {
    return fail(ErrorCode::unsupported,
                "The components of this script cannot be run alone: it has no passes");
  }
  return replay;
}

}  // namespace enprof
