// A script as a loaded model.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "engines/engine.hpp"
#include "engines/playback/playback_script.hpp"

#include <cstdint>
#include <stop_token>
#include <vector>

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

 private:
  /// False where a stop was requested.
  [[nodiscard]] bool wait(Nanoseconds length, const std::stop_token& stop) const;
  [[nodiscard]] bool play(const PlaybackStep& step, RunScope& run, const std::stop_token& stop);
  [[nodiscard]] bool play_pass(std::size_t plan, RunScope& run, const std::stop_token& stop);

  const PlaybackScript script_;
  const Clock& clock_;
  const Sleeper& sleeper_;
  std::vector<std::uint32_t> plan_ids_;  // of this run; empty where it keeps no passes
  std::vector<Instant> ends_;            // of the operations of a pass
};

}  // namespace enprof
