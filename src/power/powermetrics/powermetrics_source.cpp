#include "power/powermetrics/powermetrics_source.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr Logger kLog{"power"};

/// How long after the end of its window a sample may be seen. Not measured on a Mac.
constexpr Nanoseconds kStampError = std::chrono::milliseconds{1};
constexpr int kPeriodsUntilNoticed = 3;
constexpr int kPeriodsUntilRestart = 10;
constexpr Nanoseconds kLeastUntilRestart = std::chrono::seconds{1};
/// After a process that lived this long, the next one is started without a pause.
constexpr Nanoseconds kGoodLife = std::chrono::seconds{10};
/// A poll waits at most this long, for any period.
constexpr Nanoseconds kLongestWait = std::chrono::milliseconds{500};
constexpr Nanoseconds kBetweenComplaints = std::chrono::minutes{1};

Error not_answering(const PowermetricsCommand& command, Nanoseconds waited) {
  return {
      .code = ErrorCode::unavailable,
      .message = fmt::format("{} has written no sample for {:.1f} s", command.allowed.front(),
                             seconds(waited)),
      .hint = fmt::format("Run it by hand to see what it does: {}", fmt::join(command.words, " "))};
}

/// Waits for a first good sample. `accepts` gets the output and returns true when it is enough.
template <class Accept>
Result<void> wait_for_sample(PowermetricsProcess& process, const PowermetricsCommand& command,
                             Nanoseconds patience, Accept accepts) {
  const auto begin = SteadyClock::now();
  std::optional<Error> refusal;
  while (true) {
    auto output = process.read();
    const bool ended = output.ended;
    for (const auto& sample : output.samples) {
      if (!sample && !refusal) {
        refusal = sample.error();
      }
    }
    if (accepts(std::move(output))) {
      return {};
    }
    if (ended) {
      return std::unexpected(process.ending());
    }
    const Nanoseconds waited = SteadyClock::now() - begin;
    if (waited >= patience) {
      if (refusal) {
        refusal->message = fmt::format("powermetrics writes no valid sample: {}", refusal->message);
        return std::unexpected(*refusal);
      }
      return std::unexpected(not_answering(command, waited));
    }
    process.wait(patience - waited);
  }
}

}  // namespace

Result<std::unique_ptr<PowermetricsSource>> PowermetricsSource::open(
    const PowerEnvironment& environment) {
  auto command = find_powermetrics(environment.powermetrics_command);
  if (!command) {
    return std::unexpected(command.error());
  }
  auto process = PowermetricsProcess::start(*command);
  if (!process) {
    return std::unexpected(process.error());
  }
  std::optional<PowermetricsSample> first;
  const auto answered = wait_for_sample(*process, *command, kProbePatience,
                                        [&](const PowermetricsProcess::Output& output) {
                                          for (const auto& sample : output.samples) {
                                            if (sample && !first) {
                                              first = *sample;
                                            }
                                          }
                                          return first.has_value();
                                        });
  if (!answered) {
    return std::unexpected(answered.error());
  }
  return std::unique_ptr<PowermetricsSource>(
      new PowermetricsSource(std::move(*command), *first, *environment.clock));
}

PowermetricsSource::PowermetricsSource(PowermetricsCommand command, const PowermetricsSample& first,
                                       const Clock& clock)
    : command_(std::move(command)),
      clock_(&clock),
      timeline_(kPeriodsUntilNoticed * command_.period) {
  for (std::size_t rail = 0; rail < kPowermetricsRails; ++rail) {
    if (!first.energies[rail]) {
      continue;
    }
    Domain domain = domain_from_name(domain_name(static_cast<PowermetricsRail>(rail)));
    domain.source = "powermetrics";
    domain.method = Method::measured;
    domain.period = command_.period;
    domain.stamp_error = kStampError;
    domain_of_rail_[rail] = static_cast<std::uint16_t>(domains_.size());
    domains_.push_back(std::move(domain));
  }
  link_parents(domains_);
}

std::string PowermetricsSource::description() const {
  std::vector<std::string_view> names;
  names.reserve(domains_.size());
  for (const Domain& domain : domains_) {
    names.push_back(domain.name);
  }
  return fmt::format("mean power of {} as macOS estimates it, every {:g} ms",
                     fmt::join(names, ", "), to_ms(command_.period));
}

std::optional<pid_t> PowermetricsSource::pid() const noexcept {
  return process_ ? std::optional{process_->pid()} : std::nullopt;
}

Result<void> PowermetricsSource::start() {
  process_.reset();
  timeline_ = PowermetricsTimeline(kPeriodsUntilNoticed * command_.period);
  windows_.clear();
  readings_.clear();
  last_end_.reset();
  skipped_ = 0;
  unlogged_ = 0;
  pause_ = kShortestPause;
  if (auto launched = launch(); !launched) {
    return launched;
  }
  std::optional<Error> ignored;  // counted and logged; not a warning, because it was before the run
  auto answered =
      wait_for_sample(*process_, command_, kStartPatience, [&](PowermetricsProcess::Output output) {
        add_output(std::move(output), ignored);
        return answered_;
      });
  if (!answered) {
    process_.reset();
  }
  return answered;
}

Result<void> PowermetricsSource::launch() {
  auto process = PowermetricsProcess::start(command_);
  if (!process) {
    return std::unexpected(process.error());
  }
  process_ = std::move(*process);
  timeline_.break_chain();
  answered_ = false;
  silence_told_ = false;
  launched_at_ = listened_at_ = SteadyClock::now();
  quiet_ = Nanoseconds{0};
  return {};
}

Poll PowermetricsSource::poll(std::vector<EnergyWindow>& windows) {
  const Instant asked = clock_->now();
  const auto until = SteadyClock::now() + std::min(2 * command_.period, kLongestWait);
  std::optional<Error> fault;
  Poll result;
  while (true) {
    if (!process_) {
      result = SteadyClock::now() >= launch_at_ ? relaunch() : Poll{};
      break;
    }
    update_quiet_time(SteadyClock::now());
    auto output = process_->read();
    const bool ended = output.ended;
    add_output(std::move(output), fault);
    if (ended) {
      result = process_ended();
      break;
    }
    if ((last_end_ && *last_end_ >= asked) || fault) {
      break;
    }
    if (auto silent = check_silence()) {
      fault = std::move(silent);
      break;
    }
    const auto now = SteadyClock::now();
    if (now >= until) {
      break;
    }
    const Nanoseconds noticed = kPeriodsUntilNoticed * command_.period - quiet_;
    process_->wait(noticed > Nanoseconds{0} ? std::min<Nanoseconds>(until - now, noticed)
                                            : until - now);
  }
  std::ranges::move(windows_, std::back_inserter(windows));
  windows_.clear();
  if (fault && result.outcome == PollOutcome::ok) {
    result = {.outcome = PollOutcome::retry, .error = std::move(*fault)};
  }
  return result;
}

void PowermetricsSource::append_readings(std::vector<SensorReading>& readings) {
  std::ranges::move(readings_, std::back_inserter(readings));
  readings_.clear();
}

void PowermetricsSource::add_output(PowermetricsProcess::Output output,
                                    std::optional<Error>& fault) {
  const Instant at = clock_->now();
  std::vector<PowermetricsSample> chain;
  const auto place_chain = [&] {
    place(chain, at);
    chain.clear();
  };
  for (auto& sample : output.samples) {
    if (!sample) {
      place_chain();
      skip(sample.error(), fault);
      continue;
    }
    if (sample->refused > 0 && !fault) {
      fault =
          Error{.code = ErrorCode::malformed,
                .message = fmt::format("impossible values in a sample of powermetrics: {}. They "
                                       "are left out",
                                       sample->refused),
                .hint = {}};
    }
    chain.push_back(*sample);
  }
  place_chain();
}

void PowermetricsSource::place(std::span<const PowermetricsSample> samples, Instant at) {
  if (samples.empty()) {
    return;
  }
  answered_ = true;
  silence_told_ = false;
  listened_at_ = SteadyClock::now();
  quiet_ = Nanoseconds{0};
  std::vector<Nanoseconds> lengths;
  lengths.reserve(samples.size());
  for (const PowermetricsSample& sample : samples) {
    lengths.push_back(sample.elapsed);
  }
  const auto placement = timeline_.place(lengths, at);
  for (std::size_t index = 0; index < samples.size(); ++index) {
    if (const auto& window = placement.places[index]) {
      add_window(*window, samples[index]);
      add_readings(samples[index], window->end);
      last_end_ = window->end;
    }
  }
}

void PowermetricsSource::add_window(const PowermetricsTimeline::Place& place,
                                    const PowermetricsSample& sample) {
  // If a sample does not fit, only the part that fits; a late sample stretches and keeps its
  // energy.
  const double part = std::min(seconds(place.end - place.begin) / seconds(sample.elapsed), 1.0);
  for (std::size_t rail = 0; rail < kPowermetricsRails; ++rail) {
    // A rail that was missing in the first sample has no domain.
    if (sample.energies[rail] && domain_of_rail_[rail]) {
      windows_.push_back({.domain = *domain_of_rail_[rail],
                          .begin = place.begin,
                          .end = place.end,
                          .energy = *sample.energies[rail] * part});
    }
  }
}

void PowermetricsSource::add_readings(const PowermetricsSample& sample, Instant at) {
  const auto add = [&](std::uint16_t domain, SensorQuantity quantity,
                       const std::optional<double>& value) {
    if (value) {
      readings_.push_back({.domain = domain, .quantity = quantity, .at = at, .value = *value});
    }
  };
  add(0, SensorQuantity::thermal_pressure, sample.thermal_pressure);
  if (const auto gpu = domain_of_rail_[static_cast<std::size_t>(PowermetricsRail::gpu)]) {
    add(*gpu, SensorQuantity::utilization_ratio, sample.gpu_utilization);
    add(*gpu, SensorQuantity::clock_hz, sample.gpu_clock_hz);
  }
}

/// Skips an invalid document; the time that it covers is lost.
void PowermetricsSource::skip(const Error& error, std::optional<Error>& fault) {
  timeline_.break_chain();
  ++skipped_;
  ++unlogged_;
  const auto now = SteadyClock::now();
  if (!logged_at_ || now - *logged_at_ >= kBetweenComplaints) {
    kLog.warning("powermetrics: {} of its documents skipped, {} so far; the last: {}", unlogged_,
                 skipped_, error.message);
    logged_at_ = now;
    unlogged_ = 0;
  }
  if (!fault) {
    fault =
        Error{.code = error.code,
              .message = fmt::format("a document of powermetrics was skipped: {}. Its time is a "
                                     "gap",
                                     error.message),
              .hint = {}};
  }
}

/// If more than a wait's time has passed since the last call, this program was stopped.
/// Powermetrics may have been stopped too, or has waited for us to empty its pipe: that time does
/// not count.
void PowermetricsSource::update_quiet_time(SteadyTime now) {
  const Nanoseconds longest = std::min(2 * command_.period, kLongestWait);
  quiet_ += std::min<Nanoseconds>(now - listened_at_, longest);
  listened_at_ = now;
}

/// An error if there was no output for too long, once. After more time it is started again.
std::optional<Error> PowermetricsSource::check_silence() {
  const Nanoseconds quiet = quiet_;
  const Nanoseconds noticed = answered_ ? kPeriodsUntilNoticed * command_.period : kStartPatience;
  const Nanoseconds restart =
      answered_ ? std::max<Nanoseconds>(kPeriodsUntilRestart * command_.period, kLeastUntilRestart)
                : kStartPatience;
  std::optional<Error> error;
  if (quiet >= noticed && !silence_told_) {
    silence_told_ = true;
    error = not_answering(command_, quiet);
    error->message += ". Time that no later sample covers is a gap";
    kLog.warning("powermetrics: {}", error->message);
  }
  if (quiet >= restart) {
    kLog.warning("powermetrics: restarted after {:.1f} s without a sample", seconds(quiet));
    process_.reset();
    pause_before_next_launch();
  }
  return error;
}

Poll PowermetricsSource::process_ended() {
  Error error = process_->ending();
  process_.reset();
  const bool is_lost = !answered_ && (error.code == ErrorCode::permission_denied ||
                                      error.code == ErrorCode::not_found);
  if (is_lost) {
    return {.outcome = PollOutcome::gone, .error = std::move(error)};
  }
  pause_before_next_launch();
  error.message = fmt::format("{}. It will be restarted; the time until its next sample is a gap",
                              error.message);
  return {.outcome = PollOutcome::retry, .error = std::move(error)};
}

Poll PowermetricsSource::relaunch() {
  const auto launched = launch();
  if (launched) {
    kLog.info("powermetrics: restarted");
    return {};
  }
  if (launched.error().code == ErrorCode::unavailable) {
    pause_before_next_launch();
    return {.outcome = PollOutcome::retry, .error = launched.error()};
  }
  return {.outcome = PollOutcome::gone, .error = launched.error()};
}

void PowermetricsSource::pause_before_next_launch() {
  timeline_.break_chain();
  const auto now = SteadyClock::now();
  if (now - launched_at_ >= kGoodLife) {
    pause_ = kShortestPause;
  }
  launch_at_ = now + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

}  // namespace enprof
