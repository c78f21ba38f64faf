#include "power/sampler/source_worker.hpp"

#include "base/log.hpp"
#include "base/start_thread.hpp"
#include "base/thread_setup.hpp"
#include "base/thread_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// Longest sleep: so far an instant may lie ahead without a wait overflowing.
constexpr Nanoseconds kLongestSleep = std::chrono::hours{1};
/// How soon one who waits notices that a thread in time trouble has gone into a call.
constexpr std::chrono::milliseconds kGlance{1};

/// Where memory ran out there may be none for the words either; these need none.
Error read_no_longer(const std::exception& thrown) noexcept {
  try {
    return {.code = ErrorCode::internal,
            .message = fmt::format("It is read no longer: {}", thrown.what()),
            .hint = {}};
  } catch (const std::exception&) {
    return {.code = ErrorCode::too_large, .message = "No memory left", .hint = {}};
  }
}

}  // namespace

SourceWorker::SourceWorker(std::unique_ptr<PowerSource> source, SampleBook::Place place,
                           const Clock& clock, SampleBook& book)
    : source_(std::move(source)),
      label_(source_->name()),
      description_(source_->description()),
      place_(place),
      clock_(clock),
      book_(book) {}

SourceWorker::~SourceWorker() {
  // Whoever owned this has ended it. A thread that was left behind and is the last to let go runs
  // this itself, and is detached by then.
  if (thread_.joinable()) {
    thread_.detach();
  }
}

// ---- the others --------------------------------------------------------------------------------

Result<void> SourceWorker::begin(const Session& session, std::shared_ptr<void> owner) {
  const std::lock_guard lock(mutex_);
  health_ = {};
  if (state_ == State::left_behind) {
    const Error error{
        .code = ErrorCode::unavailable,
        .message = fmt::format("{} cannot be read: it still hangs since its last session", label_),
        .hint = "Make a new PowerMonitor, without that sensor."};
    health_.not_started(error, clock_.now());
    return std::unexpected(error);
  }
  if (thread_.joinable()) {
    thread_.join();  // it ended by itself: idle is the last thing that it says
  }
  session_ = session;
  period_ = std::min(std::max(session.interval, source_->shortest_interval()),
                     source_->longest_interval());
  asked_period_ = period_;
  pace_.reset();
  if (session.cpu_share && source_->counts_on()) {
    pace_.emplace(*session.cpu_share);
  }
  end_asked_ = false;
  start_error_.reset();
  meter_.start(clock_.now(), period_);
  for (LogGate* gate : {&loss_gate_, &return_gate_, &refusal_gate_, &rate_gate_, &stall_gate_}) {
    gate->reset();
  }
  trouble_gates_.clear();
  state_ = State::starting;
  auto started =
      start_thread("The thread that reads " + label_, [this, keep = std::move(owner)] { work(); });
  if (!started) {
    state_ = State::idle;
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
  health_.not_started(error, clock_.now());
  return error;
}

void SourceWorker::ask_to_end() {
  const std::lock_guard lock(mutex_);
  end_asked_ = true;
  wake_.notify_one();
}

void SourceWorker::end(SteadyTime asked, Nanoseconds patience) {
  std::unique_lock lock(mutex_);
  const auto is_over = [this] { return state_ == State::idle || state_ == State::left_behind; };
  answer_.wait_until(lock, deadline(asked, patience), is_over);
  // Only a thread in a call is left behind: every other one is about to end, or to make a call.
  while (!is_over() && !is_busy_) {
    answer_.wait_for(lock, kGlance, is_over);
  }
  if (!is_over()) {
    health_.stalled(patience, clock_.now());
    state_ = State::left_behind;
    thread_.detach();
  }
  if (thread_.joinable()) {
    lock.unlock();
    thread_.join();
  }
}

std::uint64_t SourceWorker::ask_for_reading() {
  const std::lock_guard lock(mutex_);
  wake_.notify_one();
  return ++readings_asked_;
}

void SourceWorker::wait_for_reading(std::uint64_t number, SteadyTime asked, Nanoseconds patience) {
  std::unique_lock lock(mutex_);
  const bool answered = answer_.wait_until(lock, deadline(asked, patience), [&] {
    return readings_done_ >= number || state_ == State::idle || state_ == State::left_behind;
  });
  if (answered || !is_busy_) {
    return;
  }
  const Instant now = clock_.now();
  health_.stalled(patience, now);
  const bool tell = stall_gate_.opens(now);
  lock.unlock();
  if (tell) {
    kLog.warning("{} has not answered for {:g} s", label_, seconds(patience));
  }
}

/// When waiting for an answer ends. A sensor that has kept others waiting already has had its time.
SourceWorker::SteadyTime SourceWorker::deadline(SteadyTime asked, Nanoseconds patience) const {
  return (is_busy_ ? std::min(asked, busy_since_) : asked) + patience;
}

std::vector<Warning> SourceWorker::warnings(Instant since) const {
  const std::lock_guard lock(mutex_);
  return health_.warnings(label_, since);
}

Nanoseconds SourceWorker::period() const {
  const std::lock_guard lock(mutex_);
  return asked_period_;
}

SourceRate SourceWorker::rate() const {
  const std::lock_guard lock(mutex_);
  SourceRate result{.source = label_,
                    .asked_hz = 0.0,
                    .actual_hz = std::nullopt,
                    .failed_readings = health_.failed_readings()};
  if (asked_period_ > Nanoseconds{0}) {
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
    if (session_.priority == SamplingPriority::realtime) {
      if (const auto raised = request_realtime_priority(); !raised) {
        kLog.warning("{}: {}. {}", label_, raised.error().message, raised.error().hint);
        const std::lock_guard lock(mutex_);
        health_.no_realtime(raised.error());
      }
    }
    if (work_until_asked()) {
      static_cast<void>(call_out([this]() -> Poll {
        source_->stop();
        return {};
      }));
    }
  } catch (const std::exception& error) {  // out of memory
    failure = read_no_longer(error);
  }
  const std::lock_guard lock(mutex_);
  if (failure) {
    try {
      health_.failed(*failure);
    } catch (const std::exception& error) {  // an exception that leaves a thread ends the program
      kLog.error("{} is read no longer: {}", label_, error.what());
    }
    start_error_ = std::move(failure);
  }
  is_busy_ = false;
  state_ = State::idle;
  answer_.notify_all();
}

bool SourceWorker::work_until_asked() {
  backoff_ = kFirstRetry;
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
    if (!turn(is_asked, last)) {
      return false;
    }
    const Nanoseconds sleep =
        life_ == Life::ended ? kLongestSleep : std::min(kLongestSleep, wake_at_ - clock_.now());
    lock.lock();
    readings_done_ = asked;
    answer_.notify_all();
    if (!last) {
      wake_.wait_for(lock, sleep,
                     [this] { return end_asked_ || readings_asked_ != readings_done_; });
    }
  }
  return true;
}

bool SourceWorker::start_source() {
  const auto started = call_out([&]() -> Poll {
    const auto result = source_->start();
    return result ? Poll{} : Poll{.outcome = PollOutcome::gone, .error = result.error()};
  });
  if (!started) {
    return false;
  }
  const Instant now = clock_.now();
  if (started->outcome != PollOutcome::ok) {
    lose(now);
    kLog.debug("{} does not start: {}", label_, started->error.message);
    const std::lock_guard lock(mutex_);
    health_.not_started(started->error, now);
    if (state_ == State::starting) {
      start_error_ = started->error;
    }
    return true;
  }
  life_ = Life::alive;
  if (pace_) {
    pace_->start(now, thread_cpu_time());
  }
  left_out_ = 0;
  set_due(now + period_);
  bool is_back = false;
  {
    const std::lock_guard lock(mutex_);
    is_back = health_.is_lost();
    health_.restarted(now);
    meter_.start(now, period_);
  }
  if (is_back && return_gate_.opens(now)) {
    kLog.warning("{} is back: it is read again", label_);
  }
  return true;
}

void SourceWorker::set_due(Instant due) {
  due_ = due;
  wake_at_ = std::clamp(source_->wake_for(due), due, due + period_);
}

void SourceWorker::set_next_due(Instant now) {
  // In step with the first poll, however late this one came; what was missed is missed.
  const Instant next = due_ + period_ > now ? due_ + period_ : now + period_;
  left_out_ = pace_ ? pace_->left_out(now, thread_cpu_time(), next, period_) : 0;
  set_due(next + period_ * static_cast<Nanoseconds::rep>(left_out_));
}

/// It is tried again later.
void SourceWorker::lose(Instant now) {
  life_ = Life::lost;
  due_ = wake_at_ = now + backoff_;
  backoff_ = std::min(2 * backoff_, kLongestRetry);
}

bool SourceWorker::turn(bool is_asked, bool is_last) {
  const bool is_due = clock_.now() >= wake_at_;
  switch (life_) {
    case Life::alive:
      return (!is_asked && !is_due) || poll(is_due);
    case Life::lost:
      return is_last || !is_due || start_source();
    case Life::ended:
      break;
  }
  return true;
}

bool SourceWorker::poll(bool is_due) {
  windows_.clear();
  readings_.clear();
  const auto outcome = call_out([&] {
    Poll result = source_->poll(windows_);
    source_->take_readings(readings_);
    return result;
  });
  if (!outcome) {
    return false;
  }
  const Instant now = clock_.now();
  std::optional<std::size_t> left_out;
  if (is_due) {
    left_out = left_out_;
    set_next_due(now);
  }
  take(*outcome, now, left_out);
  return true;
}

void SourceWorker::take(const Poll& outcome, Instant now, std::optional<std::size_t> left_out) {
  if (!windows_.empty()) {
    backoff_ = kFirstRetry;
  }
  const std::size_t refused = book_.take(place_, windows_, readings_);
  std::optional<RateMeter::Deviation> deviation;
  {
    const std::lock_guard lock(mutex_);
    health_.take(outcome, now);
    for (std::size_t count = 0; count < refused; ++count) {
      health_.refuse(now);
    }
    if (left_out) {
      deviation = meter_.tick(now, *left_out);
    }
    if (deviation) {
      health_.deviated(*deviation, now);
    }
  }
  log(outcome, now);
  if (refused > 0 && refusal_gate_.opens(now)) {
    kLog.warning("{} gave {} windows or readings that are none; they are left out", label_,
                 refused);
  }
  if (deviation && rate_gate_.opens(now)) {
    kLog.warning("{} is read {:.4g} times a second instead of {:.4g}", label_, deviation->actual_hz,
                 deviation->asked_hz);
  }
  switch (outcome.outcome) {
    case PollOutcome::ok:
    case PollOutcome::retry:
      break;
    case PollOutcome::gone:
      lose(now);
      break;
    case PollOutcome::stopped:
      life_ = Life::ended;
      break;
  }
}

/// Outside of the mutex: who reads the log may take his time.
void SourceWorker::log(const Poll& outcome, Instant now) {
  for (const Incident& incident : outcome.incidents) {
    log_trouble(incident.code, incident.error, now);
  }
  switch (outcome.outcome) {
    case PollOutcome::ok:
      break;
    case PollOutcome::retry:
      log_trouble(fmt::format("retry, {}", to_string(outcome.error.code)), outcome.error, now);
      break;
    case PollOutcome::gone:
      if (loss_gate_.opens(now)) {
        kLog.error("{} is lost: {}", label_, outcome.error.message);
      } else {
        kLog.debug("{} is lost: {}", label_, outcome.error.message);
      }
      break;
    case PollOutcome::stopped:
      kLog.info("{}: {}", label_, outcome.error.message);
      break;
  }
}

void SourceWorker::log_trouble(const std::string& kind, const Error& error, Instant now) {
  if (trouble_gates_[kind].opens(now)) {
    kLog.warning("{}: {}", label_, error.message);
  } else {
    kLog.debug("{}: {}", label_, error.message);
  }
}

template <class Call>
std::optional<Poll> SourceWorker::call_out(const Call& call) {
  enter_call();
  Poll result;
  std::string what;
  try {
    result = call();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "an exception of unknown type";
  }
  if (!what.empty()) {
    result = {.outcome = PollOutcome::gone,
              .error = {.code = ErrorCode::internal,
                        .message = fmt::format("its code failed: {}", what),
                        .hint = "This is a bug in it. Leave it out with --power."}};
  }
  if (!leave_call()) {
    return std::nullopt;
  }
  return result;
}

void SourceWorker::enter_call() {
  const std::lock_guard lock(mutex_);
  is_busy_ = true;
  busy_since_ = std::chrono::steady_clock::now();
}

bool SourceWorker::leave_call() {
  const std::lock_guard lock(mutex_);
  is_busy_ = false;
  return state_ != State::left_behind;
}

}  // namespace enprof
