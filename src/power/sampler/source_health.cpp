#include "power/sampler/source_health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace enprof {

void SourceHealth::record_poll(const Poll& poll, Instant at) {
  for (const Incident& incident : poll.incidents) {
    auto known = std::ranges::find(named_, incident.code, &Named::code);
    if (known == named_.end()) {
      known = named_.insert(named_.end(), {.code = incident.code, .log = {}});
    }
    known->log.add(at, incident.error);
  }
  switch (poll.outcome) {
    case PollOutcome::ok:
      break;
    case PollOutcome::retry:
      retries_.add(at, poll.error);
      break;
    case PollOutcome::gone:
      record_loss(poll.error, at, false);
      break;
    case PollOutcome::stopped:
      ended_ = poll.error;
      break;
  }
}

std::size_t SourceHealth::failed_readings() const {
  const auto retries = retries_.since(Instant::min());
  return retries ? retries->count : 0;
}

void SourceHealth::record_loss(const Error& error, Instant at, bool from_start) {
  if (!loss_) {
    loss_ = Loss{.error = error, .at = at, .from_start = from_start};
  }
}

void SourceHealth::record_restart(Instant at) {
  if (loss_) {
    losses_.add(at, loss_->error, at - loss_->at);
    loss_.reset();
  }
}

void SourceHealth::record_rate(const RateMeter::Deviation& rate, Instant at) {
  rate_ = rate;
  deviations_.add(at);
}

std::vector<Warning> SourceHealth::warnings(std::string_view source, Instant since) const {
  std::vector<Warning> result;
  const auto add = [&](std::string code, std::string message, std::string hint = {}) {
    result.push_back({.component = "power",
                      .code = std::move(code),
                      .message = std::move(message),
                      .hint = std::move(hint)});
  };
  for (const Incident& fault : faults_) {
    add(fault.code, fmt::format("{}: {}", source, fault.error.message), fault.error.hint);
  }
  if (loss_ && loss_->from_start) {
    add("sensor_not_started", fmt::format("{} did not start: {}", source, loss_->error.message),
        loss_->error.hint);
  }
  if (const auto retries = retries_.since(since)) {
    add("sensor_retried",
        retries->count == 1
            ? fmt::format("{}: a reading failed: {}", source, retries->first.message)
            : fmt::format("{}: {} readings failed; the first: {}", source, retries->count,
                          retries->first.message),
        retries->first.hint);
  }
  for (const Named& named : named_) {
    if (const auto incidents = named.log.since(since)) {
      add(named.code,
          incidents->count == 1 ? fmt::format("{}: {}", source, incidents->first.message)
                                : fmt::format("{}: {} times; the first: {}", source,
                                              incidents->count, incidents->first.message),
          incidents->first.hint);
    }
  }
  if (loss_ && !loss_->from_start) {
    add("sensor_gone",
        fmt::format("{} was lost while measuring: {}. Its energy ends there", source,
                    loss_->error.message),
        loss_->error.hint);
  }
  if (const auto losses = losses_.since(since)) {
    add("sensor_restarted",
        fmt::format("{} was lost {} and came back; those {:.3g} s are a gap. The first error: {}",
                    source, losses->count == 1 ? "once" : fmt::format("{} times", losses->count),
                    seconds(losses->duration), losses->first.message),
        losses->first.hint);
  }
  if (const auto stalls = stalls_.since(since)) {
    add("sensor_stalled",
        fmt::format("{} did not answer for {:g} s. Its latest readings may be missing", source,
                    seconds(stalls->duration / static_cast<Nanoseconds::rep>(stalls->count))),
        "If this happens again, choose other sources with --power.");
  }
  if (ended_) {
    add("source_ended", fmt::format("{}: {}", source, ended_->message), ended_->hint);
  }
  if (const auto invalid = invalid_.since(since)) {
    add("invalid_windows",
        fmt::format("{} gave invalid windows or readings: {}. They were left out", source,
                    invalid->count));
  }
  if (const auto deviations = deviations_.since(since)) {
    add("rate_deviation",
        fmt::format("{} was read {:.4g} times a second instead of {:.4g}", source, rate_.actual_hz,
                    rate_.asked_hz),
        "The machine is too busy, or the sensor too slow. Pass a longer --power-interval-ms.");
  }
  if (no_realtime_) {
    add("realtime_refused", fmt::format("{}: {}", source, no_realtime_->message),
        no_realtime_->hint);
  }
  if (failed_) {
    add("sampler_failed", fmt::format("{}: {}", source, failed_->message), failed_->hint);
  }
  return result;
}

}  // namespace enprof
