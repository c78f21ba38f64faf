// One source and the thread that reads it.
#pragma once

#include "enprof/power/power_monitor.hpp"
#include "enprof/power/power_source.hpp"

#include "base/abandonable_thread.hpp"
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

/// Reads one source at its own pace (PollSchedule), on a thread of its own, into a book that it
/// shares with others: however slow a sensor is, no other notices.
///
/// A thread in a call that does not return can be left behind (CallWatch). Once it comes back it
/// touches nothing but this worker: the clock or the log may be gone by then. Its owner keeps the
/// worker alive for it (begin).
///
/// Threads: any thread may call anything but begin and end, which the owner calls one after the
/// other. mutex_ guards what is shared; the source is touched by the thread alone, and without the
/// mutex.
class SourceWorker {
 public:
  using SteadyTime = CallWatch::SteadyTime;

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
  ~SourceWorker() = default;

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

 private:
  enum class State : std::uint8_t { idle, starting, running };

  // The thread's side. Functions that return a bool say whether to go on: false where the thread
  // was left behind.
  void work();
  void raise_priority();
  [[nodiscard]] bool read_until_asked_to_end();
  [[nodiscard]] bool do_what_is_due(bool is_asked, bool is_last);
  [[nodiscard]] bool start_source();
  [[nodiscard]] bool poll_source(bool is_due);
  /// `left_out`: polls before this one, which was due; empty where it was not.
  void handle_poll(const Poll& poll, Instant now, std::optional<std::size_t> left_out);
  /// Calls the source's code. What it throws is `gone`. Empty where the thread was left behind.
  template <class Call>
  [[nodiscard]] std::optional<Poll> call_source(const Call& call);
  void say_that_it_has_ended(std::optional<Error> failure);

  const std::unique_ptr<PowerSource> source_;
  const std::string label_;  // "rapl"
  const std::string description_;
  const SampleBook::Place place_;
  const Clock& clock_;
  SampleBook& book_;
  SourceTroubleLog trouble_log_;
  CallWatch calls_;
  AbandonableThread thread_;  // the owner's

  // The thread's own, while it runs:
  Session session_;
  std::optional<PollSchedule> schedule_;
  std::vector<EnergyWindow> windows_;
  std::vector<SensorReading> readings_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;    // the thread: there is something to do
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
