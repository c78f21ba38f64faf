// macOS's powermetrics: a child process that writes property lists.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/powermetrics/powermetrics_command.hpp"
#include "power/powermetrics/powermetrics_process.hpp"
#include "power/powermetrics/powermetrics_sample.hpp"
#include "power/powermetrics/powermetrics_timeline.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {

/// Reads mean power by window from `sudo -n powermetrics`.
///
/// Which rails there are is learned from a first sample, when the source is opened; the process of
/// that sample is ended again. Windows lie where PowermetricsTimeline puts them. A poll waits for
/// the sample that is under way when it is called, for at most two periods: so a poll at the end of
/// a run has the run's end in it, and samples are seen when they come.
///
/// Each fault is the outcome `retry` once, and its time is a gap:
/// - a document that is none is skipped, and counted; the log tells at most once a minute;
/// - a value that cannot be leaves its own rail empty;
/// - a process that has not written for three periods; after ten, or a second, it is ended and
///   started anew. Time in which nobody listened, as this program was stopped, does not count;
/// - a process that ended. It is started anew after 0.1 s, then twice as long each time, up to
///   10 s.
/// `gone`: where it may not be started any more, or is not there any more.
class PowermetricsSource final : public PowerSource {
 public:
  /// Takes a sample, within two seconds. Errors: not_found, on anything but macOS;
  /// permission_denied, whose hint holds the line for sudoers; process_exited, with how it ended
  /// and what it said; unavailable, where it does not answer; malformed.
  [[nodiscard]] static Result<std::unique_ptr<PowermetricsSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "powermetrics"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  /// A poll a sample: each waits for the next by itself, and the pipe holds a few only.
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return command_.period; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override { return command_.period; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;
  void take_readings(std::vector<SensorReading>& readings) override;
  void stop() override { process_.reset(); }

  /// Documents that were skipped since start.
  [[nodiscard]] std::size_t skipped() const noexcept { return skipped_; }
  /// The process that runs now, for tests.
  [[nodiscard]] std::optional<pid_t> pid() const noexcept;

  /// For the first sample, when it is opened and when it is started.
  static constexpr Nanoseconds kProbePatience = std::chrono::milliseconds{1'300};
  static constexpr Nanoseconds kStartPatience = std::chrono::seconds{5};
  static constexpr Nanoseconds kShortestPause = std::chrono::milliseconds{100};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{10};

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  PowermetricsSource(PowermetricsCommand command, const PowermetricsSample& first,
                     const Clock& clock);

  [[nodiscard]] Result<void> launch();
  /// Adds what has come; remembers the first fault in `fault`.
  void add_output(PowermetricsProcess::Output output, std::optional<Error>& fault);
  void place(std::span<const PowermetricsSample> samples, Instant at);
  void skip(const Error& error, std::optional<Error>& fault);
  void add_window(const PowermetricsTimeline::Place& place, const PowermetricsSample& sample);
  void add_readings(const PowermetricsSample& sample, Instant at);
  [[nodiscard]] Poll process_ended();
  [[nodiscard]] Poll relaunch();
  /// Counts the time that it has been quiet while we listened.
  void listen(SteadyTime now);
  [[nodiscard]] std::optional<Error> silence();
  void pause_before_next_launch();

  PowermetricsCommand command_;
  const Clock* clock_;
  std::vector<Domain> domains_;
  std::array<std::optional<std::uint16_t>, kPowermetricsRails> domain_of_rail_;

  std::optional<PowermetricsProcess> process_;
  PowermetricsTimeline timeline_;
  std::vector<EnergyWindow> windows_;    // not handed out yet
  std::vector<SensorReading> readings_;  // likewise
  std::optional<Instant> last_end_;      // of the windows
  std::size_t skipped_ = 0;
  std::size_t unlogged_ = 0;  // of those, since the log told of them
  std::optional<SteadyTime> logged_at_;
  bool answered_ = false;  // this process has
  bool silence_told_ = false;
  SteadyTime launched_at_;
  SteadyTime listened_at_;
  Nanoseconds quiet_{0};  // since the last good sample, or the launch, while we listened
  SteadyTime launch_at_;  // when to start it anew
  Nanoseconds pause_ = kShortestPause;
};

}  // namespace enprof
