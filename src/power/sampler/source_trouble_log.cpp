#include "power/sampler/source_trouble_log.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

}  // namespace

void SourceTroubleLog::reset() {
  const std::lock_guard lock(mutex_);
  gates_.clear();
}

void SourceTroubleLog::log_poll(const Poll& poll, Instant now) {
  for (const Incident& incident : poll.incidents) {
    log_trouble(fmt::format("incident, {}", incident.code), incident.error, now);
  }
  switch (poll.outcome) {
    case PollOutcome::ok:
      break;
    case PollOutcome::retry:
      log_trouble(fmt::format("retry, {}", to_string(poll.error.code)), poll.error, now);
      break;
    case PollOutcome::gone:
      if (opens("loss", now)) {
        kLog.error("{} is lost: {}", source_, poll.error.message);
      } else {
        kLog.debug("{} is lost: {}", source_, poll.error.message);
      }
      break;
    case PollOutcome::stopped:
      kLog.info("{}: {}", source_, poll.error.message);
      break;
  }
}

void SourceTroubleLog::log_fault(const Incident& fault) const {
  kLog.warning("{}: {}", source_, fault.error.message);
}

void SourceTroubleLog::log_failed_start(const Error& error) const {
  kLog.debug("{} does not start: {}", source_, error.message);
}

void SourceTroubleLog::log_return(Instant now) {
  if (opens("return", now)) {
    kLog.warning("{} is back and is read again", source_);
  }
}

void SourceTroubleLog::log_invalid_samples(std::size_t count, Instant now) {
  if (opens("invalid samples", now)) {
    kLog.warning("{} gave invalid windows or readings: {}. They are left out", source_, count);
  }
}

void SourceTroubleLog::log_rate(const RateMeter::Deviation& rate, Instant now) {
  if (opens("rate", now)) {
    kLog.warning("{} is read {:.4g} times a second instead of {:.4g}", source_, rate.actual_hz,
                 rate.asked_hz);
  }
}

void SourceTroubleLog::log_stall(Nanoseconds patience, Instant now) {
  if (opens("stall", now)) {
    kLog.warning("{} has not answered for {:g} s", source_, seconds(patience));
  }
}

void SourceTroubleLog::log_refused_priority(const Error& error) const {
  kLog.warning("{}: {}. {}", source_, error.message, error.hint);
}

bool SourceTroubleLog::opens(const std::string& kind, Instant now) {
  const std::lock_guard lock(mutex_);
  return gates_[kind].opens(now);
}

void SourceTroubleLog::log_trouble(const std::string& kind, const Error& error, Instant now) {
  if (opens(kind, now)) {
    kLog.warning("{}: {}", source_, error.message);
  } else {
    kLog.debug("{}: {}", source_, error.message);
  }
}

}  // namespace enprof
