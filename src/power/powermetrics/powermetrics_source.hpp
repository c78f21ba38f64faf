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

/// Reads windows of mean power from `sudo -n powermetrics`.
///
/// The rails are those of a first sample, which is taken when the source is opened, with a process
/// of its own. PowermetricsTimeline places the windows. A poll waits for the current sample, for at
/// most two periods: so a poll at the end of a run includes the run's end, and samples are seen
/// when they arrive.
///
/// Each fault gives the outcome `retry` once, and its time is a gap:
/// - An invalid document is skipped and counted; it is logged at most once a minute.
/// - An impossible value leaves only its own rail empty.
/// - A process that has not written for three periods. After ten periods, or a second, it is ended
///   and started again. Time in which this program was stopped does not count.
/// - A process that ended. It is started again after 0.1 s, then after times that double, up to
///   10 s.
/// `gone` if the process may not be started any more, or does not exist any more.
class PowermetricsSource final : public PowerSource {
 public:
  /// Takes a sample, within two seconds. Errors: not_found, except on macOS; permission_denied,
  /// with the sudoers line as hint; process_exited, with how it ended and its error output;
  /// unavailable if it does not answer; malformed.
  [[nodiscard]] static Result<std::unique_ptr<PowermetricsSource>> open(
      const PowerEnvironment& environment);

  [[nodiscard]] std::string_view name() const noexcept override { return "powermetrics"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  /// One poll per sample: each waits for the next sample itself, and the pipe holds only a few.
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return command_.period; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override { return command_.period; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override;
  void append_readings(std::vector<SensorReading>& readings) override;
  void stop() override { process_.reset(); }

  /// The number of documents skipped since start.
  [[nodiscard]] std::size_t skipped() const noexcept { return skipped_; }
  /// The current process, for tests.
  [[nodiscard]] std::optional<pid_t> pid() const noexcept;

  /// How long to wait for the first sample, in open() and in start().
  static constexpr Nanoseconds kProbePatience = std::chrono::milliseconds{1'300};
  static constexpr Nanoseconds kStartPatience = std::chrono::seconds{5};
  static constexpr Nanoseconds kShortestPause = std::chrono::milliseconds{100};
  static constexpr Nanoseconds kLongestPause = std::chrono::seconds{10};

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  PowermetricsSource(PowermetricsCommand command, const PowermetricsSample& first,
                     const Clock& clock);

  [[nodiscard]] Result<void> launch();
  /// Adds the output; keeps the first fault in `fault`.
  void add_output(PowermetricsProcess::Output output, std::optional<Error>& fault);
  void place(std::span<const PowermetricsSample> samples, Instant at);
  void skip(const Error& error, std::optional<Error>& fault);
  void add_window(const PowermetricsTimeline::Place& place, const PowermetricsSample& sample);
  void add_readings(const PowermetricsSample& sample, Instant at);
  [[nodiscard]] Poll process_ended();
  [[nodiscard]] Poll relaunch();
  /// Updates the time without output, not counting time in which this program was stopped.
  void update_quiet_time(SteadyTime now);
  [[nodiscard]] std::optional<Error> check_silence();
  void pause_before_next_launch();

  PowermetricsCommand command_;
  const Clock* clock_;
  std::vector<Domain> domains_;
  std::array<std::optional<std::uint16_t>, kPowermetricsRails> domain_of_rail_;

  std::optional<PowermetricsProcess> process_;
  PowermetricsTimeline timeline_;
  std::vector<EnergyWindow> windows_;    // not returned yet
  std::vector<SensorReading> readings_;  // not returned yet
  std::optional<Instant> last_end_;      // of the windows
  std::size_t skipped_ = 0;
  std::size_t unlogged_ = 0;  // of those, since they were last logged
  std::optional<SteadyTime> logged_at_;
  bool answered_ = false;  // this process has given a sample
  bool silence_told_ = false;
  SteadyTime launched_at_;
  SteadyTime listened_at_;
  Nanoseconds quiet_{0};  // time without a good sample
  SteadyTime launch_at_;  // when to start it again
  Nanoseconds pause_ = kShortestPause;
};

}  // namespace enprof
