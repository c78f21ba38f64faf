#include "power/sampler/power_sampler.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

/// The domains of all sources, with parents linked. A name that is taken gets the source's name in
/// front, so that names are unique.
std::vector<Domain> merge_domains(const std::vector<std::unique_ptr<PowerSource>>& sources) {
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
    : clock_(clock), patience_(patience), domains_(merge_domains(sources)), book_(domains_) {
  std::size_t first = 0;
  for (auto& source : sources) {
    const SampleBook::Place place{.first = first, .count = source->domains().size()};
    first += place.count;
    workers_.push_back(std::make_unique<SourceWorker>(std::move(source), place, clock, book_));
  }
}

std::vector<std::string> PowerSampler::descriptions() const {
  std::vector<std::string> result;
  result.reserve(workers_.size());
  for (const auto& worker : workers_) {
    result.push_back(worker->label() + ": " + worker->description());
  }
  return result;
}

Result<void> PowerSampler::start(std::optional<Nanoseconds> asked, SamplingPriority priority) {
  const std::lock_guard control(control_);
  const Nanoseconds interval = asked.value_or(PowerMonitor::kDefaultInterval);
  if (interval <= Nanoseconds{0}) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("A sampling interval of {:g} ms is not possible", to_ms(interval)),
                "Pass a positive one, for example --power-interval-ms 10");
  }
  {
    const std::lock_guard lock(mutex_);
    if (is_running_) {
      return fail(ErrorCode::already_running, "PowerMonitor is already running",
                  "Check is_running(), or call stop() first.");
    }
    interval_ = interval;
  }
  book_.clear(clock_.now());
  const auto cpu_share = asked ? std::nullopt : std::optional{PowerMonitor::kCpuShare};
  if (auto failure =
          start_workers({.interval = interval, .cpu_share = cpu_share, .priority = priority})) {
    return std::unexpected(std::move(*failure));
  }
  {
    const std::lock_guard lock(mutex_);
    is_running_ = true;
    for (const auto& worker : workers_) {
      interval_ =
          worker == workers_.front() ? worker->period() : std::min(interval_, worker->period());
    }
  }
  if (!workers_.empty()) {
    kLog.info("PowerMonitor started successfully with {:g}ms sampling interval{}",
              to_ms(this->interval()), intervals_of_each());
  }
  return {};
}

std::string PowerSampler::intervals_of_each() const {
  std::string each;
  bool same = true;
  for (const auto& worker : workers_) {
    const Nanoseconds period = worker->period();
    same = same && period == workers_.front()->period();
    each += fmt::format("{}{} every {:g}ms", each.empty() ? ": " : ", ", worker->label(),
                        to_ms(period));
  }
  return same ? "" : each;
}

std::optional<Error> PowerSampler::start_workers(const SourceWorker::Session& session) {
  std::optional<Error> failure;
  std::vector<SourceWorker*> begun;
  for (const auto& worker : workers_) {
    const auto begin = worker->begin(session, shared_from_this());
    if (begin) {
      begun.push_back(worker.get());
    } else {
      failure = failure.value_or(begin.error());
    }
  }
  std::size_t started = 0;
  const auto deadline = std::chrono::steady_clock::now() + patience_.start;
  for (SourceWorker* worker : begun) {
    if (auto error = worker->wait_for_start(deadline, patience_.start)) {
      failure = failure.value_or(std::move(*error));
    } else {
      ++started;
    }
  }
  if (started == 0 && failure) {
    end_workers(Nanoseconds{0});  // without waiting again: they had the time to start
    return failure;
  }
  if (failure) {
    kLog.error("Part of the power is not measured: {}", failure->message);
  }
  return std::nullopt;
}

void PowerSampler::stop() {
  const std::lock_guard control(control_);
  {
    const std::lock_guard lock(mutex_);
    if (!is_running_) {
      return;
    }
  }
  end_workers(patience_.answer);
  book_.record_to(nullptr, patience_.answer);
  const std::lock_guard lock(mutex_);
  is_running_ = false;
}

void PowerSampler::end_workers(Nanoseconds patience) {
  const auto asked = std::chrono::steady_clock::now();
  for (const auto& worker : workers_) {
    worker->ask_to_end();
  }
  for (const auto& worker : workers_) {
    worker->end(asked, patience);
  }
}

bool PowerSampler::is_running() const noexcept {
  const std::lock_guard lock(mutex_);
  return is_running_;
}

Nanoseconds PowerSampler::interval() const noexcept {
  const std::lock_guard lock(mutex_);
  return interval_;
}

void PowerSampler::sync() {
  if (!is_running()) {
    return;
  }
  const auto asked = std::chrono::steady_clock::now();
  std::vector<std::uint64_t> numbers;
  numbers.reserve(workers_.size());
  for (const auto& worker : workers_) {
    numbers.push_back(worker->ask_for_reading());
  }
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    workers_[index]->wait_for_reading(numbers[index], asked, patience_.answer);
  }
  book_.keep_edge(clock_.now());
}

void PowerSampler::wait_for_windows_after(Instant instant) {
  if (!is_running()) {
    return;
  }
  constexpr Nanoseconds kLongest = PowerMonitor::kLongestWaitForWindows;
  std::vector<SourceWorker*> awaited;
  for (const auto& worker : workers_) {
    const SampleBook::Place place = worker->place();
    // A window may have begun just before the instant: it takes up to two.
    const auto is_quick = [&](const Domain& domain) { return 2 * domain.period <= kLongest; };
    if (std::ranges::all_of(std::span(domains_).subspan(place.first, place.count), is_quick)) {
      awaited.push_back(worker.get());
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + kLongest;
  for (auto now = std::chrono::steady_clock::now(); now < deadline && !awaited.empty();
       now = std::chrono::steady_clock::now()) {
    const auto until = std::min(deadline, now + PowerMonitor::kDefaultInterval);
    std::erase_if(awaited, [&](const SourceWorker* worker) {
      return book_.wait_for_windows(worker->place(), instant, kLongest, until);
    });
    // A source that is read seldom may have a window by now: its next reading would come too late.
    for (SourceWorker* worker : awaited) {
      static_cast<void>(worker->ask_for_reading());
    }
  }
}

Result<void> PowerSampler::record_to(std::unique_ptr<WindowRecorder> recorder,
                                     const std::vector<Domain>& domains) {
  auto recording = RecordingQueue::open(std::move(recorder), domains);
  if (!recording) {
    return std::unexpected(std::move(recording.error()));
  }
  book_.record_to(*std::move(recording), patience_.answer);
  return {};
}

std::vector<SourceRate> PowerSampler::rates() const {
  std::vector<SourceRate> result;
  result.reserve(workers_.size());
  for (const auto& worker : workers_) {
    result.push_back(worker->rate());
  }
  return result;
}

std::vector<std::shared_ptr<BorderReader>> PowerSampler::border_readers() const {
  std::vector<std::shared_ptr<BorderReader>> result;
  for (const auto& worker : workers_) {
    std::ranges::copy(worker->border_readers(), std::back_inserter(result));
  }
  return result;
}

std::vector<Warning> PowerSampler::warnings(Instant since) const {
  std::vector<Warning> result;
  for (const auto& worker : workers_) {
    std::ranges::move(worker->warnings(since), std::back_inserter(result));
  }
  std::ranges::move(book_.warnings(since), std::back_inserter(result));
  return result;
}

}  // namespace enprof
