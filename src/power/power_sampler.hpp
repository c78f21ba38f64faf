// The monitor's thread and what it shares with others.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/source_health.hpp"
#include "power/window_recorder.hpp"
#include "power/window_store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace enprof {

/// Polls sources on a thread of its own and collects their windows.
///
/// Held by shared_ptr: its thread has a share in it, so that one which a sensor does not let go of
/// can be left behind (stop) without pulling the ground from under it.
///
/// Threads: any thread may call anything. mutex_ guards what is shared; while the thread runs,
/// sources are touched by it alone and without the mutex, so that a slow sensor keeps nobody
/// waiting.
class PowerSampler : public std::enable_shared_from_this<PowerSampler> {
 public:
  /// How long sensors may keep others waiting.
  struct Patience {
    Nanoseconds answer = std::chrono::seconds{2};  ///< one reading of all
    Nanoseconds start = std::chrono::seconds{10};  ///< until all have been started
  };

  PowerSampler(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock)
      : PowerSampler(std::move(sources), clock, Patience{}) {}
  PowerSampler(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock,
               Patience patience);
  PowerSampler(const PowerSampler&) = delete;
  PowerSampler& operator=(const PowerSampler&) = delete;
  ~PowerSampler();

  [[nodiscard]] const std::vector<Domain>& domains() const noexcept { return domains_; }
  [[nodiscard]] std::vector<std::string> descriptions() const;
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

  /// Starts the sources and the thread. One source of several that fails is a warning.
  [[nodiscard]] Result<void> start(Nanoseconds interval);
  /// Polls a last time and ends the thread; leaves it behind where it is stuck.
  void stop();
  [[nodiscard]] bool is_running() const noexcept;
  [[nodiscard]] Nanoseconds interval() const noexcept;
  /// Polls all sources now and waits until that is done, as far as patience goes.
  void sync();

  [[nodiscard]] std::vector<EnergyWindow> windows(Instant begin, Instant end) const;
  void forget_before(Instant instant);
  [[nodiscard]] PowerNow now() const;
  [[nodiscard]] std::vector<Warning> warnings() const;
  /// Hands the windows from now on to a recorder, until stop.
  void record_to(std::unique_ptr<WindowRecorder> recorder);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  enum class State : std::uint8_t { idle, starting, running, left_behind };

  struct Source {
    std::unique_ptr<PowerSource> source;
    std::string label;  // "rapl"
    std::string description;
    std::size_t first_domain = 0;  // of its domains, in ours
    std::size_t domain_count = 0;
    // The thread's own:
    bool alive = false;
    bool complained = false;  // a failed reading is in the log
    Instant due;
    Nanoseconds period{0};
    // Guarded by mutex_:
    SourceHealth health;
  };

  // The others' side.
  [[nodiscard]] SteadyTime deadline() const;
  void leave_behind(Nanoseconds waited);

  // The thread's side. Functions that return a bool say whether to go on: a thread that was left
  // behind must touch nothing that is not its own, as the clock or the log may be gone by then.
  void work();
  /// Starts the sources; returns why none could be started, if so.
  [[nodiscard]] std::optional<Error> start_sources();
  void work_until_stopped();
  void stop_sources();
  /// Polls one source and takes in what it has.
  [[nodiscard]] bool poll(Source& source);
  void log(Source& source, const Poll& poll);
  void record(const std::vector<EnergyWindow>& windows);
  [[nodiscard]] Poll call_out(Source& source, const std::function<Poll()>& call);
  [[nodiscard]] bool is_left_behind() const;

  const Clock& clock_;
  const Patience patience_;
  std::vector<Source> sources_;
  std::vector<Domain> domains_;

  std::mutex control_;  // start and stop, one after the other
  std::thread thread_;  // guarded by control_

  mutable std::mutex mutex_;
  std::condition_variable wake_;    // the thread: there is something to do
  std::condition_variable answer_;  // the others: it is done
  State state_ = State::idle;
  bool stop_asked_ = false;
  Nanoseconds interval_ = PowerMonitor::kDefaultInterval;
  Instant started_;
  std::optional<Error> start_error_;
  std::uint64_t syncs_asked_ = 0;
  std::uint64_t syncs_done_ = 0;
  Source* busy_with_ = nullptr;  // a call into it is under way
  SteadyTime busy_since_;
  WindowStore store_;
  std::vector<Warning> warnings_;  // beside those of the sources' health

  std::mutex record_mutex_;  // apart: writing to a file may take its time
  std::unique_ptr<WindowRecorder> recorder_;
};

}  // namespace enprof
