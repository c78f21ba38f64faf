#include "engines/playback/playback_model.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace enprof {
namespace {

/// How soon a stop is noticed.
constexpr Nanoseconds kLongestSleep = std::chrono::milliseconds{20};

}  // namespace

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

bool PlaybackModel::play_pass(std::size_t plan, RunScope& run, const std::stop_token& stop) {
  const PlaybackPlan& what = script_.plans[plan];
  const Instant begin = clock_.now();
  Instant end = begin;
  ends_.clear();
  for (const Nanoseconds length : what.lengths) {
    ends_.push_back(end += length);
  }
  if (!wait(end - begin, stop)) {
    return false;
  }
  if (!plan_ids_.empty()) {
    run.add_pass(plan_ids_[plan], begin, begin, ends_);
  }
  return true;
}

bool PlaybackModel::play(const PlaybackStep& step, RunScope& run, const std::stop_token& stop) {
  for (const PlaybackSection& section : step.sections) {
    const SectionScope scope = run.section(step.phase, section.name);
    if (!wait(section.length, stop) || (section.plan && !play_pass(*section.plan, run, stop))) {
      return false;
    }
  }
  return true;
}

Result<GenerateResult> PlaybackModel::generate(RunScope& run, const GenerateOptions& options) {
  plan_ids_.clear();
  std::size_t longest = 0;
  for (const PlaybackPlan& plan : script_.plans) {
    longest = std::max(longest, plan.lengths.size());
    if (run.depth() != Depth::minimal) {
      plan_ids_.push_back(run.add_plan(plan.plan));
    }
  }
  ends_.reserve(longest);
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
      goes_on = play(step, run, options.stop);
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
        goes_on = play(step, run, options.stop);
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

}  // namespace enprof
