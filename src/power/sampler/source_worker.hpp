// One source and the thread that reads it.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "power/sampler/log_gate.hpp"
#include "power/sampler/rate_meter.hpp"
#include "power/sampler/reading_pace.hpp"
#include "power/sampler/sample_book.hpp"
#include "power/sampler/source_health.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace enprof {

/// Reads one source at its own pace, on a thread of its own, into a book that it shares with
/// others: however slow a sensor is, no other notices.
///
/// A source that does not start, or is lost, is tried again after kFirstRetry, and after twice as
/// long each time, up to kLongestRetry.
///
/// A thread in a call that does not return can be left behind. Once it comes back it touches
/// nothing but this worker: the clock or the log may be gone by then. Its owner keeps the worker
/// alive for it (begin).
///
/// Threads: any thread may call anything but begin and end, which the owner calls one after the
/// other. mutex_ guards what is shared; the source is touched by the thread alone, and without the
/// mutex.
class SourceWorker {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct Session {
    Nanoseconds interval = PowerMonitor::kDefaultInterval;
    std::optional<double> cpu_share{};  ///< bound on what reading takes: see PowerMonitor::start
    SamplingPriority priority = SamplingPriority::normal;
  };
  /// Clock and book outlive the worker, but see above.
  SourceWorker(std::unique_ptr<PowerSource> source, SampleBook::Place place, const Clock& clock,
               SampleBook& book);
  SourceWorker(const SourceWorker&) = delete;
  SourceWorker& operator=(const SourceWorker&) = delete;
  ~SourceWorker();

  [[nodiscard]] const std::string& label() const noexcept { return label_; }
  [[nodiscard]] const std::string& description() const noexcept { return description_; }
  /// Between two readings, as far as the source itself allows what was asked for; 0 before begin.
  [[nodiscard]] Nanoseconds period() const;

  /// Starts the thread, which holds on to `owner`. Errors: unavailable, where its last one still
  /// hangs or the system has no thread to give.
  [[nodiscard]] Result<void> begin(const Session& session, std::shared_ptr<void> owner);
  /// Waits until the source has started. Where it has not by the deadline, or has failed to, says
  /// why; the thread then goes on trying. `patience` is what the deadline allowed.
  [[nodiscard]] std::optional<Error> wait_for_start(SteadyTime deadline, Nanoseconds patience);

  /// Asks for a last reading and the thread's end.
  void ask_to_end();
  /// Waits for that. A thread that is in one call for longer than `patience`, counted from when it
  /// was asked or, if that was earlier, from when the call began, is left behind.
  void end(SteadyTime asked, Nanoseconds patience);

  /// Asks for a reading now; returns the number to wait for.
  [[nodiscard]] std::uint64_t ask_for_reading();
  /// Waits until it is in, at most for `patience`, counted as in end().
  void wait_for_reading(std::uint64_t number, SteadyTime asked, Nanoseconds patience);

  [[nodiscard]] std::vector<Warning> warnings(Instant since) const;
  [[nodiscard]] SourceRate rate() const;

  static constexpr Nanoseconds kFirstRetry = std::chrono::seconds{1};
  static constexpr Nanoseconds kLongestRetry = std::chrono::seconds{60};

 private:
  enum class State : std::uint8_t { idle, starting, running, left_behind };
  /// What the thread expects of its source.
  enum class Life : std::uint8_t { alive, lost, ended };

  // The others' side.
  [[nodiscard]] SteadyTime deadline(SteadyTime asked, Nanoseconds patience) const;

  // The thread's side. Functions that return a bool say whether to go on: false where it was left
  // behind.
  void work();
  [[nodiscard]] bool work_until_asked();
  [[nodiscard]] bool start_source();
  /// Does what is due, or asked for.
  [[nodiscard]] bool turn(bool is_asked, bool is_last);
  [[nodiscard]] bool poll(bool is_due);
  /// `left_out`: polls before this one, which was due; empty where it was not.
  void take(const Poll& outcome, Instant now, std::optional<std::size_t> left_out);
  void lose(Instant now);
  void set_due(Instant due);
  /// After a poll that was due.
  void set_next_due(Instant now);
  void log(const Poll& outcome, Instant now);
  void log_trouble(const std::string& kind, const Error& error, Instant now);
  /// Calls into code that may hang or throw anything. Empty where it was left behind there.
  template <class Call>
  [[nodiscard]] std::optional<Poll> call_out(const Call& call);
  void enter_call();
  [[nodiscard]] bool leave_call();

  const std::unique_ptr<PowerSource> source_;
  const std::string label_;  // "rapl"
  const std::string description_;
  const SampleBook::Place place_;
  const Clock& clock_;
  SampleBook& book_;
  std::thread thread_;  // the owner's

  // The thread's own:
  Session session_;
  Life life_ = Life::lost;
  Nanoseconds period_{0};
  Nanoseconds backoff_{0};
  std::optional<ReadingPace> pace_;
  std::size_t left_out_ = 0;  // polls before the one that is due
  Instant due_;               // the next poll, or attempt to start
  Instant wake_at_;           // for it: see PowerSource::wake_for
  std::vector<EnergyWindow> windows_;
  std::vector<SensorReading> readings_;
  std::map<std::string, LogGate> trouble_gates_;  // by kind: one does not hide another
  LogGate loss_gate_;
  LogGate return_gate_;
  LogGate refusal_gate_;
  LogGate rate_gate_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;    // the thread: there is something to do
  std::condition_variable answer_;  // the others: it is done
  State state_ = State::idle;
  bool end_asked_ = false;
  std::optional<Error> start_error_;
  std::uint64_t readings_asked_ = 0;
  std::uint64_t readings_done_ = 0;
  bool is_busy_ = false;  // a call into the source is under way
  SteadyTime busy_since_;
  SourceHealth health_;
  LogGate stall_gate_;
  RateMeter meter_;
  Nanoseconds asked_period_{0};  // of this session; zero before
};

}  // namespace enprof
