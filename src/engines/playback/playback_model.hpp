// A script as a loaded model.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "engines/engine.hpp"
#include "engines/playback/playback_script.hpp"

#include <memory>
#include <stop_token>

namespace enprof {

/// Plays its script under a run's scopes, on a clock that may be a test's: it waits by the sleeper,
/// and stamps operations where the script has them. Prompt and sampling change nothing; max_tokens
/// cuts the output.
class PlaybackModel final : public LoadedModel {
 public:
  /// Clock and sleeper outlive it.
  PlaybackModel(PlaybackScript script, const Clock& clock, const Sleeper& sleeper);

  const ModelFacts& facts() const noexcept override { return script_.model; }
  std::size_t most_output_tokens(const GenerateOptions& options) const noexcept override;
  Result<GenerateResult> generate(RunScope& run, const GenerateOptions& options) override;
  /// Runs nothing and waits, as generate() does. Its classes are those of the plans that passes
  /// follow.
  Result<std::unique_ptr<ComponentReplay>> prepare_replay(const ReplayOptions& options) override;

 private:
  struct Playing;
  class Replay;

  /// False where a stop was requested.
  [[nodiscard]] bool wait(Nanoseconds length, const std::stop_token& stop) const;
  [[nodiscard]] bool play(const PlaybackStep& step, Playing& playing) const;
  [[nodiscard]] bool play_pass(std::size_t plan, Playing& playing) const;

  const PlaybackScript script_;
  const Clock& clock_;
  const Sleeper& sleeper_;
};

}  // namespace enprof
