#include "power/source_health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace enprof {

void SourceHealth::take(const Poll& poll) {
  for (const Incident& incident : poll.incidents) {
    auto known = std::ranges::find_if(
        named_, [&](const Named& named) { return named.first.code == incident.code; });
    if (known == named_.end()) {
      known = named_.insert(named_.end(), {.first = incident});
    }
    ++known->count;
  }
  switch (poll.outcome) {
    case PollOutcome::ok:
      break;
    case PollOutcome::retry:
      ++retries_;
      first_retry_ = first_retry_.value_or(poll.error);
      break;
    case PollOutcome::gone:
      gone_ = poll.error;
      break;
    case PollOutcome::stopped:
      ended_ = poll.error;
      break;
  }
}

std::vector<Warning> SourceHealth::warnings(std::string_view source) const {
  std::vector<Warning> result;
  const auto add = [&](std::string code, std::string message, std::string hint = {}) {
    result.push_back({.component = "power",
                      .code = std::move(code),
                      .message = std::move(message),
                      .hint = std::move(hint)});
  };
  if (not_started_) {
    add("sensor_not_started", fmt::format("{} did not start: {}", source, not_started_->message),
        not_started_->hint);
  }
  if (first_retry_) {
    add("sensor_retried",
        retries_ == 1 ? fmt::format("{}: a reading failed: {}", source, first_retry_->message)
                      : fmt::format("{}: {} readings failed; the first: {}", source, retries_,
                                    first_retry_->message),
        first_retry_->hint);
  }
  for (const Named& named : named_) {
    add(named.first.code,
        named.count == 1 ? fmt::format("{}: {}", source, named.first.error.message)
                         : fmt::format("{}: {} times; the first: {}", source, named.count,
                                       named.first.error.message),
        named.first.error.hint);
  }
  if (gone_) {
    add("sensor_gone",
        fmt::format("{} was lost while measuring: {}. Its energy ends there", source,
                    gone_->message),
        gone_->hint);
  }
  if (stalled_) {
    add("sensor_stalled",
        fmt::format("{} did not answer for {:g} s. Its latest readings may be missing", source,
                    seconds(*stalled_)),
        "Leave it out with --power, if it does so again.");
  }
  if (ended_) {
    add("source_ended", fmt::format("{}: {}", source, ended_->message), ended_->hint);
  }
  if (refused_windows_ > 0) {
    add("invalid_windows",
        fmt::format("{} gave {} windows of no length or of impossible energy; they were left out",
                    source, refused_windows_));
  }
  return result;
}

}  // namespace enprof
