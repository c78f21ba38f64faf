// One source and the thread that reads it.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/abandonable_thread.hpp"
#include "base/timed_condition.hpp"
#include "power/sampler/call_watch.hpp"
#include "power/sampler/poll_schedule.hpp"
#include "power/sampler/rate_meter.hpp"
#include "power/sampler/sample_book.hpp"
#include "power/sampler/source_health.hpp"
#include "power/sampler/source_trouble_log.hpp"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace enprof {

/// Reads one source at its own interval (PollSchedule), on a thread of its own, into a book that it
/// shares with other workers: a slow sensor does not delay the others.
///
/// A thread in a call that does not return can be left behind (CallWatch). When the call returns
/// after all, the thread accesses only this worker, because the clock or the log may be gone by
/// then. Its owner keeps the worker alive for that (begin).
///
/// While a thread that computes reads the source's counters itself (BorderReader), this one only
/// collects what it read, every kCollect.
///
/// Threads: any thread may call anything except begin and end, which the owner calls one after the
/// other. mutex_ guards the shared members. Only the thread accesses the source, without holding
/// the mutex.
class SourceWorker {
 public:
  using SteadyTime = CallWatch::SteadyTime;
  static constexpr Nanoseconds kCollect = std::chrono::milliseconds{100};

  struct Session {
    Nanoseconds interval = PowerMonitor::kDefaultInterval;
    std::optional<double> cpu_share{};  ///< limit of reading's CPU time: see PowerMonitor::start
    SamplingPriority priority = SamplingPriority::normal;
  };
  /// Clock and book outlive the worker, but perhaps not a thread that was left behind.
  SourceWorker(std::unique_ptr<PowerSource> source, SampleBook::Place place, const Clock& clock,
               SampleBook& book);
  SourceWorker(const SourceWorker&) = delete;
  SourceWorker& operator=(const SourceWorker&) = delete;
  ~SourceWorker() = default;

  [[nodiscard]] const std::string& label() const noexcept { return label_; }
  [[nodiscard]] const std::string& description() const noexcept { return description_; }
  [[nodiscard]] SampleBook::Place place() const noexcept { return place_; }
  /// The time between two readings: the requested one, within the source's limits; 0 before begin.
  [[nodiscard]] Nanoseconds period() const;

  /// Starts the thread, which keeps `owner` alive. Errors: unavailable if its last thread still
  /// hangs, or if the system cannot start one.
  [[nodiscard]] Result<void> begin(const Session& session, std::shared_ptr<void> owner);
  /// Waits until the source has started. Returns the error if it failed to start, or had not
  /// started by the deadline; the thread then goes on trying. `patience`: the time until the
  /// deadline.
  [[nodiscard]] std::optional<Error> wait_for_start(SteadyTime deadline, Nanoseconds patience);

  /// Requests a last reading and the thread's end.
  void ask_to_end();
  /// Waits for that end. A thread that is in one call for longer than `patience`, counted from the
  /// request or, if that was earlier, from the begin of the call, is left behind.
  void end(SteadyTime asked, Nanoseconds patience);

  /// Requests a reading now; returns the number to wait for.
  [[nodiscard]] std::uint64_t ask_for_reading();
  /// Waits until that reading is there, at most for `patience`, counted as in end().
  void wait_for_reading(std::uint64_t number, SteadyTime asked, Nanoseconds patience);

  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;
  [[nodiscard]] SourceRate rate() const;
  /// Never changes.
  [[nodiscard]] const std::vector<std::shared_ptr<BorderReader>>& border_readers() const noexcept {
    return border_readers_;
  }

 private:
  enum class State : std::uint8_t { idle, starting, running };

  // The thread's side. Functions that return a bool say whether to go on: false if the thread was
  // left behind.
  void work();
  void raise_priority();
  [[nodiscard]] bool read_until_asked_to_end();
  [[nodiscard]] bool run_next_step(bool is_asked, bool is_last);
  [[nodiscard]] bool start_source();
  [[nodiscard]] bool poll_source(bool is_due, bool is_asked);
  /// Takes what was read at borders, in place of a poll. False if that was too little, since the
  /// last time, to do without one.
  [[nodiscard]] bool collect(Poll& poll);
  /// `left_out`: polls left out before this one; empty if this one was not scheduled.
  void handle_poll(const Poll& poll, Instant now, std::optional<std::size_t> left_out);
  /// Notes what the source cannot measure from now on, and logs what is new.
  void take_faults(std::vector<Incident> faults);
  /// Calls the source's code. What it throws is `gone`. Empty where the thread was left behind.
  template <class Call>
  [[nodiscard]] std::optional<Poll> call_source(const Call& call);
  void set_ended(std::optional<Error> failure);

  const std::unique_ptr<PowerSource> source_;
  const std::string label_;  // "rapl"
  const std::string description_;
  const std::vector<std::shared_ptr<BorderReader>> border_readers_;
  const SampleBook::Place place_;
  const Clock& clock_;
  SampleBook& book_;
  SourceTroubleLog trouble_log_;
  CallWatch calls_;
  AbandonableThread thread_;  // used by the owner only

  // Used by the thread only, while it runs:
  Session session_;
  std::optional<PollSchedule> schedule_;
  std::vector<EnergyWindow> windows_;
  std::vector<SensorReading> readings_;
  std::vector<Incident> faults_;
  Instant read_at_;  // when the source was last polled, or readings collected

  mutable std::mutex mutex_;
  TimedCondition wake_;             // the thread: there is something to do
  std::condition_variable answer_;  // the others: it is done
  State state_ = State::idle;
  bool end_asked_ = false;
  std::optional<Error> start_error_;
  std::uint64_t readings_asked_ = 0;
  std::uint64_t readings_done_ = 0;
  SourceHealth health_;
  RateMeter meter_;
  Nanoseconds period_{0};  // of this session; zero before
};

}  // namespace enprof
