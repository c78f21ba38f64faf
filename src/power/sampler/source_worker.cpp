#include "power/sampler/source_worker.hpp"

#include "base/log.hpp"
#include "base/thread_setup.hpp"
#include "power/counter/border_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// Of one CPU, at most, for readings at borders where a caller asked for an interval.
constexpr double kAskedShare = 0.05;
/// Of the readings that are due, so many must have been made at borders to do without others.
constexpr int kEnoughOf = 2;  // one of two
/// How often a waiting caller checks whether a late thread is in a call.
constexpr std::chrono::milliseconds kGlance{1};

/// If memory ran out, there may be none for the message either; the second one needs none.
Error read_no_longer(const std::exception& thrown) noexcept {
  try {
    return {.code = ErrorCode::internal,
            .message = fmt::format("It is no longer read: {}", thrown.what()),
            .hint = {}};
  } catch (const std::exception&) {
    return {.code = ErrorCode::too_large, .message = "Out of memory", .hint = {}};
  }
}

}  // namespace

SourceWorker::SourceWorker(std::unique_ptr<PowerSource> source, SampleBook::Place place,
                           const Clock& clock, SampleBook& book)
    : source_(std::move(source)),
      label_(source_->name()),
      description_(source_->description()),
      border_readers_(source_->border_readers()),
      place_(place),
      clock_(clock),
      book_(book),
      trouble_log_(label_),
      faults_(source_->faults()),
      wake_(clock) {}

// ---- other threads ------------------------------------------------------------------------------

Result<void> SourceWorker::begin(const Session& session, std::shared_ptr<void> owner) {
  const std::lock_guard lock(mutex_);
  health_ = {};
  health_.record_faults(faults_);
  if (calls_.is_thread_left_behind()) {
    const Error error{
        .code = ErrorCode::unavailable,
        .message = fmt::format("{} cannot be read: it still hangs from the last session", label_),
        .hint = "Make a new PowerMonitor, without that sensor."};
    health_.record_failed_start(error, clock_.now());
    return std::unexpected(error);
  }
  thread_.wait();  // if it ended by itself: setting `idle` is the last thing that it does
  session_ = session;
  period_ = std::min(std::max(session.interval, source_->shortest_interval()),
                     source_->longest_interval());
  schedule_.emplace(
      PollSchedule::Options{.period = period_,
                            .cpu_share = source_->counts_on() ? session.cpu_share : std::nullopt,
                            .wake_for = [this](Instant due) { return source_->wake_for(due); }});
  for (const auto& reader : border_readers_) {
    reader->set_pace(session.cpu_share
                         ? BorderReader::Pace{}
                         : BorderReader::Pace{.interval = period_, .cpu_share = kAskedShare});
  }
  end_asked_ = false;
  start_error_.reset();
  meter_.start(clock_.now(), period_);
  trouble_log_.reset();
  for (const Incident& fault : faults_) {
    trouble_log_.log_fault(fault);
  }
  state_ = State::starting;
  wake_.begin_thread();
  auto started = AbandonableThread::start("The thread that reads " + label_,
                                          [this, keep = std::move(owner)] { work(); });
  if (!started) {
    state_ = State::idle;
    wake_.end_thread();
    return std::unexpected(std::move(started.error()));
  }
  thread_ = *std::move(started);
  return {};
}

std::optional<Error> SourceWorker::wait_for_start(SteadyTime deadline, Nanoseconds patience) {
  std::unique_lock lock(mutex_);
  if (answer_.wait_until(lock, deadline, [this] { return state_ != State::starting; })) {
    return start_error_;
  }
  Error error{.code = ErrorCode::unavailable,
              .message = fmt::format("Power cannot be measured: {} did not start within {:g} s",
                                     label_, seconds(patience)),
              .hint = "Choose another source with --power."};
  health_.record_failed_start(error, clock_.now());
  return error;
}

void SourceWorker::ask_to_end() {
  const std::lock_guard lock(mutex_);
  end_asked_ = true;
  wake_.notify();
}

void SourceWorker::end(SteadyTime asked, Nanoseconds patience) {
  std::unique_lock lock(mutex_);
  const auto is_over = [this] { return state_ == State::idle || calls_.is_thread_left_behind(); };
  answer_.wait_until(lock, calls_.deadline(asked, patience), is_over);
  // Only a thread in a call is left behind: any other thread will soon end or make a call.
  while (!is_over()) {
    if (calls_.leave_thread_behind()) {
      health_.record_stall(patience, clock_.now());
      thread_.abandon();
      wake_.end_thread();
    } else {
      answer_.wait_for(lock, kGlance, is_over);
    }
  }
  lock.unlock();
  thread_.wait();
}

std::uint64_t SourceWorker::ask_for_reading() {
  const std::lock_guard lock(mutex_);
  wake_.notify();
  return ++readings_asked_;
}

void SourceWorker::wait_for_reading(std::uint64_t number, SteadyTime asked, Nanoseconds patience) {
  std::unique_lock lock(mutex_);
  const bool answered = answer_.wait_until(lock, calls_.deadline(asked, patience), [&] {
    return readings_done_ >= number || state_ == State::idle || calls_.is_thread_left_behind();
  });
  if (answered || !calls_.is_under_way()) {
    return;
  }
  const Instant now = clock_.now();
  health_.record_stall(patience, now);
  lock.unlock();
  trouble_log_.log_stall(patience, now);
}

std::vector<Warning> SourceWorker::warnings(Instant since) const {
  const std::lock_guard lock(mutex_);
  return health_.warnings(label_, since);
}

Nanoseconds SourceWorker::period() const {
  const std::lock_guard lock(mutex_);
  return period_;
}

SourceRate SourceWorker::rate() const {
  const std::lock_guard lock(mutex_);
  SourceRate result{.source = label_,
                    .asked_hz = 0.0,
                    .actual_hz = std::nullopt,
                    .failed_readings = health_.failed_readings()};
  if (period_ > Nanoseconds{0}) {
    result.asked_hz = meter_.asked_hz();
    result.actual_hz = meter_.actual_hz(clock_.now());
  }
  return result;
}

// ---- the thread --------------------------------------------------------------------------------

void SourceWorker::work() {
  set_up_sampling_thread("enprof-" + label_);
  std::optional<Error> failure;
  try {
    raise_priority();
    if (read_until_asked_to_end()) {
      static_cast<void>(call_source([this]() -> Poll {
        source_->stop();
        return {};
      }));
    }
  } catch (const std::exception& error) {  // out of memory
    failure = read_no_longer(error);
  }
  set_ended(std::move(failure));
}

void SourceWorker::raise_priority() {
  if (session_.priority != SamplingPriority::realtime) {
    return;
  }
  if (const auto raised = request_realtime_priority(); !raised) {
    trouble_log_.log_refused_priority(raised.error());
    const std::lock_guard lock(mutex_);
    health_.record_refused_priority(raised.error());
  }
}

void SourceWorker::set_ended(std::optional<Error> failure) {
  const std::lock_guard lock(mutex_);
  if (failure) {
    try {
      health_.record_failure(*failure);
    } catch (const std::exception& error) {  // out of memory again
      kLog.error("{} is no longer read: {}", label_, error.what());
    }
    start_error_ = std::move(failure);
  }
  calls_.reset();
  wake_.end_thread();
  state_ = State::idle;
  answer_.notify_all();
}

bool SourceWorker::read_until_asked_to_end() {
  if (!start_source()) {
    return false;
  }
  std::unique_lock lock(mutex_);
  state_ = State::running;
  answer_.notify_all();
  for (bool last = false; !last;) {
    const std::uint64_t asked = readings_asked_;
    last = end_asked_;
    const bool is_asked = last || asked != readings_done_;
    lock.unlock();
    if (!run_next_step(is_asked, last)) {
      return false;
    }
    const Instant now = clock_.now();
    const Instant wake_at = now + schedule_->time_to_sleep(now);
    lock.lock();
    readings_done_ = asked;
    answer_.notify_all();
    if (!last) {
      wake_.wait_until(lock, wake_at,
                       [this] { return end_asked_ || readings_asked_ != readings_done_; });
    }
  }
  return true;
}

bool SourceWorker::run_next_step(bool is_asked, bool is_last) {
  const bool is_due = schedule_->is_due(clock_.now());
  switch (schedule_->next_step()) {
    case PollSchedule::Step::poll:
      return (!is_asked && !is_due) || poll_source(is_due, is_asked);
    case PollSchedule::Step::start:
      return is_last || !is_due || start_source();
    case PollSchedule::Step::nothing:
      break;
  }
  return true;
}

bool SourceWorker::start_source() {
  std::vector<Incident> faults;
  const auto started = call_source([&]() -> Poll {
    const auto result = source_->start();
    faults = source_->faults();
    return result ? Poll{} : Poll{.outcome = PollOutcome::gone, .error = result.error()};
  });
  if (!started) {
    return false;
  }
  const Instant now = clock_.now();
  if (started->outcome != PollOutcome::ok) {
    schedule_->set_lost(now);
    trouble_log_.log_failed_start(started->error);
    const std::lock_guard lock(mutex_);
    health_.record_failed_start(started->error, now);
    if (state_ == State::starting) {
      start_error_ = started->error;
    }
    return true;
  }
  take_faults(std::move(faults));
  read_at_ = now;
  schedule_->set_started(now);
  bool is_back = false;
  {
    const std::lock_guard lock(mutex_);
    is_back = health_.is_lost();
    health_.record_restart(now);
    meter_.start(now, schedule_->period());
  }
  if (is_back) {
    trouble_log_.log_return(now);
  }
  return true;
}

bool SourceWorker::collect(Poll& poll) {
  const Instant now = clock_.now();
  const auto count = static_cast<Nanoseconds::rep>(source_->collect(poll, windows_));
  return kEnoughOf * count * schedule_->period() >= now - read_at_;
}

bool SourceWorker::poll_source(bool is_due, bool is_asked) {
  windows_.clear();
  readings_.clear();
  std::vector<Incident> faults;
  bool is_collected = false;
  const auto poll = call_source([&] {
    Poll result;
    is_collected = !border_readers_.empty() && !is_asked && collect(result);
    if (is_collected) {
      return result;
    }
    std::vector<Incident> incidents = std::move(result.incidents);
    result = source_->poll(windows_);
    result.incidents.insert(result.incidents.begin(), std::move_iterator(incidents.begin()),
                            std::move_iterator(incidents.end()));
    source_->append_readings(readings_);
    if (result.faults_changed) {
      faults = source_->faults();
    }
    return result;
  });
  if (!poll) {
    return false;
  }
  if (poll->faults_changed) {
    take_faults(std::move(faults));
  }
  const Instant now = clock_.now();
  read_at_ = now;
  std::optional<std::size_t> left_out;
  if (is_due) {
    left_out = schedule_->plan_next_poll(now, is_collected ? kCollect : Nanoseconds{0});
  }
  handle_poll(*poll, now, left_out);
  return true;
}

void SourceWorker::handle_poll(const Poll& poll, Instant now, std::optional<std::size_t> left_out) {
  if (!windows_.empty()) {
    schedule_->set_working();
  }
  const std::size_t invalid = book_.add(place_, windows_, readings_);
  std::optional<RateMeter::Deviation> deviation;
  {
    const std::lock_guard lock(mutex_);
    health_.record_poll(poll, now);
    for (std::size_t count = 0; count < invalid; ++count) {
      health_.record_invalid_sample(now);
    }
    if (left_out) {
      deviation = meter_.tick(now, *left_out);
    }
    if (deviation) {
      health_.record_rate(*deviation, now);
    }
  }
  trouble_log_.log_poll(poll, now);
  if (invalid > 0) {
    trouble_log_.log_invalid_samples(invalid, now);
  }
  if (deviation) {
    trouble_log_.log_rate(*deviation, now);
  }
  if (poll.outcome == PollOutcome::gone) {
    schedule_->set_lost(now);
  } else if (poll.outcome == PollOutcome::stopped) {
    schedule_->set_ended();
  }
}

void SourceWorker::take_faults(std::vector<Incident> faults) {
  for (const Incident& fault : faults) {
    const bool is_known = std::ranges::any_of(faults_, [&](const Incident& known) {
      return known.code == fault.code && known.error.message == fault.error.message;
    });
    if (!is_known) {
      trouble_log_.log_fault(fault);
    }
  }
  faults_ = std::move(faults);
  const std::lock_guard lock(mutex_);
  health_.record_faults(faults_);
}

template <class Call>
std::optional<Poll> SourceWorker::call_source(const Call& call) {
  std::string what;
  auto result = calls_.make([&]() -> Poll {
    try {
      return call();
    } catch (const std::exception& error) {
      what = error.what();
    } catch (...) {
      what = "an exception of unknown type";
    }
    return {};
  });
  if (result && !what.empty()) {
    *result = {
        .outcome = PollOutcome::gone,
        .error = {.code = ErrorCode::internal,
                  .message = fmt::format("its code threw an exception: {}", what),
                  .hint = "This is a bug in that source. Choose other sources with --power."}};
  }
  return result;
}

}  // namespace enprof
