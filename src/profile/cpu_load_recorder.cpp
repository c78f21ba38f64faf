#include "profile/cpu_load_recorder.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace enprof {
namespace {

constexpr Logger kLog{"profile"};

}  // namespace

CpuLoadRecorder::CpuLoadRecorder(const CpuTimes& times, const Clock& clock, Nanoseconds period,
                                 std::size_t most_samples)
    : times_(times),
      clock_(clock),
      period_(period),
      most_samples_(std::max<std::size_t>(most_samples, 4)) {}

std::optional<CpuSnapshot> CpuLoadRecorder::start() {
  if (started_) {
    return std::nullopt;
  }
  started_ = true;
  samples_.clear();
  sample();
  const auto first = samples_.empty() ? std::nullopt : std::optional{samples_.front().times};
  const auto started = thread_.start({.name = "enprof-cpu",
                                      .purpose = "sample CPU times",
                                      .period = period_,
                                      .first = period_,
                                      .clock = &clock_},
                                     [this] { sample(); });
  if (!started) {
    kLog.error("CPU times are read only at the begin and the end of the run: {}",
               started.error().message);
  }
  return first;
}

std::vector<CpuSample> CpuLoadRecorder::stop() {
  thread_.stop();
  if (std::exchange(started_, false)) {
    sample();
  }
  return std::exchange(samples_, {});
}

void CpuLoadRecorder::sample() {
  const Instant before = clock_.now();
  const auto times = times_.read();
  if (!times || (!samples_.empty() && samples_.back().at >= before)) {
    return;
  }
  if (samples_.size() == most_samples_) {  // remove every second sample and double the period
    for (std::size_t index = 1; 2 * index < samples_.size(); ++index) {
      samples_[index] = samples_[2 * index];
    }
    samples_.resize((samples_.size() + 1) / 2);
    period_ *= 2;
    thread_.set_period(period_);
  }
  samples_.push_back({.at = before, .times = *times});
}

}  // namespace enprof
