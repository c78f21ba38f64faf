#include "profile/cpu_load_recorder.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <system_error>
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

CpuLoadRecorder::~CpuLoadRecorder() { static_cast<void>(stop()); }

std::optional<CpuSnapshot> CpuLoadRecorder::start() {
  if (started_) {
    return std::nullopt;
  }
  started_ = true;
  stopping_ = false;
  samples_.clear();
  sample();
  const auto first = samples_.empty() ? std::nullopt : std::optional{samples_.front().times};
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::system_error& error) {
    kLog.error("CPU times are read at the begin and end of the run only: {}", error.what());
  }
  return first;
}

std::vector<CpuSample> CpuLoadRecorder::stop() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  if (std::exchange(started_, false)) {
    sample();
  }
  return std::exchange(samples_, {});
}

void CpuLoadRecorder::work() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, period_, [this] { return stopping_; })) {
    sample();
  }
}

void CpuLoadRecorder::sample() {
  const Instant before = clock_.now();
  const auto times = times_.read();
  if (!times || (!samples_.empty() && samples_.back().at >= before)) {
    return;
  }
  if (samples_.size() == most_samples_) {  // keep every second one, and go on half as often
    for (std::size_t index = 1; 2 * index < samples_.size(); ++index) {
      samples_[index] = samples_[2 * index];
    }
    samples_.resize((samples_.size() + 1) / 2);
    period_ *= 2;
  }
  samples_.push_back({.at = before, .times = *times});
}

}  // namespace enprof
