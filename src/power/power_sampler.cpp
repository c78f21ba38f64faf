#include "power/power_sampler.hpp"

#include "base/log.hpp"
#include "power/thread_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <system_error>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// Longest sleep: so far an instant may lie ahead without a wait overflowing.
constexpr Nanoseconds kLongestSleep = std::chrono::hours{1};

/// Domains of all sources, parents linked, names told apart.
std::vector<Domain> merge(const std::vector<std::unique_ptr<PowerSource>>& sources) {
  std::vector<Domain> result;
  for (const auto& source : sources) {
    for (Domain domain : source->domains()) {
      const auto is_taken = [&](const std::string& name) {
        return std::ranges::find(result, name, &Domain::name) != result.end();
      };
      if (is_taken(domain.name)) {
        domain.name = fmt::format("{}:{}", source->name(), domain.name);
      }
      while (is_taken(domain.name)) {
        domain.name += '\'';
      }
      result.push_back(std::move(domain));
    }
  }
  link_parents(result);
  return result;
}

}  // namespace

PowerSampler::PowerSampler(std::vector<std::unique_ptr<PowerSource>> sources, const Clock& clock,
                           Patience patience)
    : clock_(clock), patience_(patience), domains_(merge(sources)), store_(domains_) {
  std::size_t first = 0;
  for (auto& source : sources) {
    Source entry;
    entry.label = source->name();
    entry.description = source->description();
    entry.first_domain = first;
    entry.domain_count = source->domains().size();
    first += entry.domain_count;
    entry.source = std::move(source);
    sources_.push_back(std::move(entry));
  }
}

PowerSampler::~PowerSampler() {
  // Whoever owned this has stopped it. A thread that was left behind and is the last to let go runs
  // this itself, and is detached by then.
  if (thread_.joinable()) {
    thread_.detach();
  }
}

std::vector<std::string> PowerSampler::descriptions() const {
  std::vector<std::string> result;
  result.reserve(sources_.size());
  for (const Source& source : sources_) {
    result.push_back(source.label + ": " + source.description);
  }
  return result;
}

Result<void> PowerSampler::start(Nanoseconds interval) {
  const std::lock_guard control(control_);
  if (interval <= Nanoseconds{0}) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("A sampling interval of {:g} ms is none", to_ms(interval)),
                "Pass a positive one, for example --power-interval-ms 10");
  }
  std::unique_lock lock(mutex_);
  if (state_ == State::left_behind) {
    return fail(ErrorCode::unavailable,
                "The power monitor cannot start: a sensor of its last session still hangs",
                "Make a new PowerMonitor, without that sensor.");
  }
  if (state_ != State::idle) {
    return fail(ErrorCode::already_running, "PowerMonitor is already running",
                "Check is_running(), or call stop() first.");
  }
  if (thread_.joinable()) {
    thread_.join();  // it ended by itself: idle is the last thing that it says
  }
  interval_ = interval;
  started_ = clock_.now();
  stop_asked_ = false;
  start_error_.reset();
  store_.clear();
  warnings_.clear();
  for (Source& source : sources_) {
    source.health = {};
  }
  if (sources_.empty()) {
    state_ = State::running;
  } else {
    state_ = State::starting;
    try {
      thread_ = std::thread([self = shared_from_this()] { self->work(); });
    } catch (const std::system_error& error) {
      state_ = State::idle;
      return fail(ErrorCode::unavailable,
                  fmt::format("The power monitor's thread cannot be started: {}", error.what()),
                  "Raise the limit on threads: ulimit -u");
    }
    if (!answer_.wait_for(lock, patience_.start, [this] { return state_ != State::starting; })) {
      const std::string culprit = busy_with_ != nullptr ? busy_with_->label : "a sensor";
      leave_behind(patience_.start);
      return fail(ErrorCode::unavailable,
                  fmt::format("Power cannot be measured: {} did not start within {:g} s", culprit,
                              seconds(patience_.start)),
                  "Choose another source with --power.");
    }
    if (start_error_) {
      lock.unlock();
      thread_.join();
      return std::unexpected(*start_error_);
    }
  }
  lock.unlock();
  kLog.info("PowerMonitor started successfully with {:g}ms sampling interval", to_ms(interval));
  return {};
}

void PowerSampler::stop() {
  const std::lock_guard control(control_);
  std::unique_lock lock(mutex_);
  if (sources_.empty()) {
    state_ = State::idle;
    return;
  }
  if (state_ == State::running) {
    stop_asked_ = true;
    wake_.notify_one();
    if (!answer_.wait_until(lock, deadline(), [this] { return state_ == State::idle; })) {
      leave_behind(patience_.answer);
      return;
    }
  }
  lock.unlock();
  if (thread_.joinable()) {
    thread_.join();
  }
}

/// When waiting for an answer ends. A sensor that has kept others waiting already has had its time.
PowerSampler::SteadyTime PowerSampler::deadline() const {
  const SteadyTime now = std::chrono::steady_clock::now();
  return (busy_with_ != nullptr ? std::min(now, busy_since_) : now) + patience_.answer;
}

void PowerSampler::leave_behind(Nanoseconds waited) {
  if (busy_with_ != nullptr) {
    busy_with_->health.stalled(waited);
  }
  state_ = State::left_behind;
  thread_.detach();
}

bool PowerSampler::is_running() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_ == State::running;
}

Nanoseconds PowerSampler::interval() const noexcept {
  const std::lock_guard lock(mutex_);
  return interval_;
}

void PowerSampler::sync() {
  std::unique_lock lock(mutex_);
  if (state_ != State::running || sources_.empty()) {
    return;
  }
  const std::uint64_t mine = ++syncs_asked_;
  wake_.notify_one();
  const bool answered = answer_.wait_until(
      lock, deadline(), [&] { return syncs_done_ >= mine || state_ != State::running; });
  if (!answered && busy_with_ != nullptr) {
    busy_with_->health.stalled(patience_.answer);
    const std::string culprit = busy_with_->label;
    lock.unlock();
    kLog.warning("{} has not answered for {:g} s", culprit, seconds(patience_.answer));
  }
}

std::vector<EnergyWindow> PowerSampler::windows(Instant begin, Instant end) const {
  const std::lock_guard lock(mutex_);
  return store_.between(begin, end);
}

void PowerSampler::forget_before(Instant instant) {
  const std::lock_guard lock(mutex_);
  store_.forget_before(instant);
}

PowerNow PowerSampler::now() const {
  const std::lock_guard lock(mutex_);
  return store_.now(clock_.now());
}

std::vector<Warning> PowerSampler::warnings() const {
  const std::lock_guard lock(mutex_);
  std::vector<Warning> result;
  for (const Source& source : sources_) {
    std::ranges::move(source.health.warnings(source.label), std::back_inserter(result));
  }
  std::ranges::copy(warnings_, std::back_inserter(result));
  return result;
}

void PowerSampler::record_to(std::unique_ptr<WindowRecorder> recorder) {
  const std::lock_guard lock(record_mutex_);
  recorder_ = std::move(recorder);
}

// ---- the thread --------------------------------------------------------------------------------

void PowerSampler::work() {
  set_up_sampling_thread("enprof-power");
  std::optional<Error> failure;
  try {
    failure = start_sources();
    if (!failure) {
      work_until_stopped();
      record_to(nullptr);
    }
    stop_sources();
  } catch (const std::exception& error) {  // out of memory
    failure = Error{.code = ErrorCode::internal,
                    .message = fmt::format("Power is measured no longer: {}", error.what()),
                    .hint = {}};
  }
  const std::lock_guard lock(mutex_);
  if (failure && state_ == State::running) {
    warnings_.push_back({.component = "power",
                         .code = "sampler_failed",
                         .message = failure->message,
                         .hint = failure->hint});
  }
  start_error_ = std::move(failure);
  state_ = State::idle;
  answer_.notify_all();
}

std::optional<Error> PowerSampler::start_sources() {
  std::optional<Error> failure;
  bool any = false;
  for (Source& source : sources_) {
    const Poll started = call_out(source, [&]() -> Poll {
      const auto result = source.source->start();
      return result ? Poll{} : Poll{.outcome = PollOutcome::gone, .error = result.error()};
    });
    if (is_left_behind()) {
      return failure;
    }
    source.alive = started.outcome == PollOutcome::ok;
    source.complained = false;
    source.period = std::min(std::max(interval_, source.source->shortest_interval()),
                             source.source->longest_interval());
    source.due = clock_.now() + source.period;
    any = any || source.alive;
    if (!source.alive) {
      failure = failure.value_or(started.error);
      const std::lock_guard lock(mutex_);
      source.health.not_started(started.error);
    }
  }
  if (any && failure) {
    kLog.error("Part of the power is not measured: {}", failure->message);
  }
  return any ? std::nullopt : failure;
}

void PowerSampler::work_until_stopped() {
  std::unique_lock lock(mutex_);
  if (state_ == State::left_behind) {
    return;
  }
  state_ = State::running;
  answer_.notify_all();
  for (bool last = false; !last;) {
    const std::uint64_t syncs = syncs_asked_;
    last = stop_asked_;
    const bool all = last || syncs != syncs_done_;
    lock.unlock();
    Nanoseconds sleep = kLongestSleep;
    for (Source& source : sources_) {
      if (!source.alive) {
        continue;
      }
      const bool is_due = clock_.now() >= source.due;
      if ((all || is_due) && !poll(source)) {
        return;
      }
      const Instant now = clock_.now();
      if (is_due) {
        // In step with the first poll, however late this one came; what was missed is missed.
        source.due += source.period;
        source.due = source.due > now ? source.due : now + source.period;
      }
      sleep = std::min(sleep, source.due - now);
    }
    lock.lock();
    syncs_done_ = syncs;
    answer_.notify_all();
    if (!last) {
      wake_.wait_for(lock, sleep, [this] { return stop_asked_ || syncs_asked_ != syncs_done_; });
    }
  }
}

void PowerSampler::stop_sources() {
  for (Source& source : sources_) {
    if (is_left_behind()) {
      return;
    }
    static_cast<void>(call_out(source, [&]() -> Poll {
      source.source->stop();
      return {};
    }));
  }
}

bool PowerSampler::poll(Source& source) {
  std::vector<EnergyWindow> windows;
  const Poll outcome = call_out(source, [&] { return source.source->poll(windows); });
  if (is_left_behind()) {
    return false;
  }
  log(source, outcome);
  {
    const std::lock_guard lock(mutex_);
    source.health.take(outcome);
    std::erase_if(windows, [&](EnergyWindow& window) {
      if (window.domain < source.domain_count) {
        window.domain = static_cast<std::uint16_t>(source.first_domain + window.domain);
        if (store_.add(window)) {
          return false;
        }
      }
      source.health.refuse_window();
      return true;
    });
  }
  record(windows);
  source.alive = outcome.outcome == PollOutcome::ok || outcome.outcome == PollOutcome::retry;
  return true;
}

/// Outside of the mutex: who reads the log may take his time. A failure that repeats is told once.
void PowerSampler::log(Source& source, const Poll& poll) {
  switch (poll.outcome) {
    case PollOutcome::ok:
      break;
    case PollOutcome::retry:
      if (!source.complained) {
        source.complained = true;
        kLog.warning("{}: {}", source.label, poll.error.message);
      } else {
        kLog.debug("{}: {}", source.label, poll.error.message);
      }
      break;
    case PollOutcome::gone:
      kLog.error("{} is lost: {}", source.label, poll.error.message);
      break;
    case PollOutcome::stopped:
      kLog.info("{}: {}", source.label, poll.error.message);
      break;
  }
}

void PowerSampler::record(const std::vector<EnergyWindow>& windows) {
  const std::lock_guard lock(record_mutex_);
  if (!recorder_ || windows.empty()) {
    return;
  }
  if (const auto written = recorder_->write(domains_, windows, started_); !written) {
    recorder_.reset();
    kLog.error("{}", written.error().message);
    const std::lock_guard state(mutex_);
    warnings_.push_back({.component = "power",
                         .code = "recording_failed",
                         .message = written.error().message,
                         .hint = written.error().hint});
  }
}

/// Calls into a source: code that may hang or throw anything.
Poll PowerSampler::call_out(Source& source, const std::function<Poll()>& call) {
  {
    const std::lock_guard lock(mutex_);
    busy_with_ = &source;
    busy_since_ = std::chrono::steady_clock::now();
  }
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
  const std::lock_guard lock(mutex_);
  busy_with_ = nullptr;
  return result;
}

bool PowerSampler::is_left_behind() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::left_behind;
}

}  // namespace enprof
