// Replays recorded power.
#pragma once

#include "enprof/power/power_source.hpp"

#include "power/recording/replay_file.hpp"

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {

/// Plays the windows of a file (replay_file.hpp) from the instant of start(). It gives out a window
/// as soon as the window has begun: so a window that extends beyond the end of a run covers the run
/// to its end. Ends (`stopped`) after its last window.
class ReplaySource final : public PowerSource {
 public:
  /// Reads the whole file. Errors: those of read_replay_file.
  [[nodiscard]] static Result<std::unique_ptr<ReplaySource>> open(
      const std::filesystem::path& path, const Clock& clock = monotonic_clock());

  [[nodiscard]] std::string_view name() const noexcept override { return "replay"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return file_.domains; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override {
    return std::chrono::milliseconds{1};
  }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;

 private:
  ReplaySource(std::filesystem::path path, ReplayFile file, const Clock& clock);

  std::filesystem::path path_;
  ReplayFile file_;
  Nanoseconds length_{0};  // when the last window ends
  const Clock* clock_;
  Instant started_;
  std::size_t next_ = 0;  // the next window to give out
};

}  // namespace enprof
