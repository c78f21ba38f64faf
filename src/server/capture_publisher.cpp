#include "server/capture_publisher.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"exec"};

}  // namespace

void CapturePublisher::start(std::string run_id, Instant begin) {
  thread_.stop();
  run_id_ = std::move(run_id);
  begin_ = begin;
  published_ = {};
  moments_ = {{.at = begin, .sums = {}}};
  const auto started = thread_.start({.name = "enprof-requests",
                                      .purpose = "publish the requests in flight",
                                      .period = kPeriod,
                                      .first = kPeriod,
                                      .clock = &clock_},
                                     [this] { look(); });
  if (!started) {
    kLog.warning("Requests are shown at the end only: {}", started.error().message);
  }
}

void CapturePublisher::end() {
  thread_.stop();
  requests_.end_program();
  look();
}

CapturePublisher::Moment CapturePublisher::recent(Instant now) {
  while (moments_.size() > 1 && moments_[1].at <= now - kRecent) {
    moments_.pop_front();
  }
  return moments_.front();
}

void CapturePublisher::look() {
  const Instant now = clock_.now();
  RequestMetrics metrics{.run_began = begin_, .news = requests_.news(now)};
  const RequestNews& news = metrics.news;
  const RequestsSoFar& sums = news.sums;
  const Moment before = recent(now);
  moments_.push_back({.at = now, .sums = sums});
  if (sums == published_ && news.ended.empty() && news.taken_back.empty()) {
    return;
  }
  published_ = sums;
  if (sums.in_flight > 0 && now > before.at) {
    // A draft may have been rejected since.
    const std::size_t tokens =
        sums.output_tokens - std::min(sums.output_tokens, before.sums.output_tokens);
    metrics.tokens_per_second = static_cast<double>(tokens) / seconds(now - before.at);
  }
  if (const double pass_s = sums.pass_s - before.sums.pass_s; pass_s > 0.0) {
    metrics.mean_sequences = (sums.sequence_s - before.sums.sequence_s) / pass_s;
  }
  publisher_.publish_requests(run_id_, now - begin_, metrics);
}

}  // namespace enprof
