// A power source that a test controls, even while a monitor's thread polls it.
#pragma once

#include "enprof/power/power_source.hpp"

#include <atomic>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace enprof::testing {

/// The test's side of a FakeSource; outlives it. Threads: any.
class FakeSensor {
 public:
  enum class Mode {
    steady,   ///< constant power from poll to poll
    silent,   ///< ok, without windows
    failing,  ///< retry
    gone,
    stopped,
    throwing,
    throwing_something_odd,
    hanging,  ///< does not return until release()
    lying,    ///< gives invalid windows
  };

  std::atomic<Mode> mode{Mode::steady};
  std::atomic<bool> starts{true};
  std::atomic<double> watts{50.0};
  std::atomic<int> pieces{1};  ///< the number of windows for the time since the last poll
  std::atomic<int> polls{0};
  std::atomic<int> attempts{0};       ///< number of calls of start
  std::atomic<double> celsius{-1.0};  ///< of the first domain, after each poll; below zero: none

  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  void wait_for_release() {
    std::unique_lock lock(mutex_);
    hangs_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
  }
  void wait_until_it_hangs() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return hangs_; });
  }
  void set_destroyed() {
    const std::lock_guard lock(mutex_);
    destroyed_ = true;
    changed_.notify_all();
  }
  void wait_until_destroyed() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return destroyed_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  bool hangs_ = false;
  bool destroyed_ = false;
};

class FakeSource final : public PowerSource {
 public:
  FakeSource(std::string name, const std::vector<std::string>& domains, const Clock& clock,
             std::shared_ptr<FakeSensor> sensor)
      : name_(std::move(name)), clock_(&clock), sensor_(std::move(sensor)) {
    for (const auto& domain : domains) {
      domains_.push_back(domain_from_name(domain));
      domains_.back().source = name_;
    }
  }
  ~FakeSource() override { sensor_->set_destroyed(); }

  Nanoseconds shortest{1};
  Nanoseconds longest = Nanoseconds::max();

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] std::string description() const override { return "a fake"; }
  [[nodiscard]] std::span<const Domain> domains() const noexcept override { return domains_; }
  [[nodiscard]] Nanoseconds shortest_interval() const noexcept override { return shortest; }
  [[nodiscard]] Nanoseconds longest_interval() const noexcept override { return longest; }

  [[nodiscard]] Result<void> start() override {
    ++sensor_->attempts;
    if (sensor_->mode == FakeSensor::Mode::throwing) {
      throw std::runtime_error("no luck");
    }
    if (sensor_->mode == FakeSensor::Mode::hanging) {
      sensor_->wait_for_release();
    }
    if (!sensor_->starts) {
      return fail(ErrorCode::permission_denied, name_ + " may not be read", "chmod it");
    }
    last_ = clock_->now();
    return {};
  }

  [[nodiscard]] Poll poll(std::vector<EnergyWindow>& windows) override {
    const Instant now = clock_->now();
    const auto emit = [&](double sign) {
      const Nanoseconds piece = (now - last_) / sensor_->pieces.load();
      for (std::uint16_t domain = 0; domain < domains_.size() && now > last_; ++domain) {
        for (Instant begin = last_; begin < now; begin += piece) {
          const Instant end = now - begin < 2 * piece ? now : begin + piece;
          windows.push_back({.domain = domain,
                             .begin = begin,
                             .end = end,
                             .energy = Watts{sign * sensor_->watts} * (end - begin)});
          if (end == now) {
            break;
          }
        }
      }
      last_ = now;
    };
    Poll result;
    switch (sensor_->mode) {
      case FakeSensor::Mode::steady:
        emit(1);
        break;
      case FakeSensor::Mode::silent:
        break;
      case FakeSensor::Mode::failing:
        result = problem(PollOutcome::retry, "does not answer");
        break;
      case FakeSensor::Mode::gone:
        result = problem(PollOutcome::gone, "was unplugged");
        break;
      case FakeSensor::Mode::stopped:
        emit(1);
        result = problem(PollOutcome::stopped, "is over");
        break;
      case FakeSensor::Mode::throwing:
        throw std::runtime_error("division by cucumber");
      case FakeSensor::Mode::throwing_something_odd:
        throw 42;  // NOLINT: just what a third party may do
      case FakeSensor::Mode::hanging:
        sensor_->wait_for_release();
        break;
      case FakeSensor::Mode::lying:
        emit(-1);
        windows.push_back({.domain = 999, .begin = now, .end = now + Nanoseconds{1}, .energy = {}});
        break;
      default:
        break;
    }
    ++sensor_->polls;
    return result;
  }

  void append_readings(std::vector<SensorReading>& readings) override {
    if (sensor_->celsius >= 0) {
      readings.push_back({.domain = 0,
                          .quantity = SensorQuantity::temperature_celsius,
                          .at = clock_->now(),
                          .value = sensor_->celsius});
    }
  }

 private:
  [[nodiscard]] Poll problem(PollOutcome outcome, const char* what) const {
    return {
        .outcome = outcome,
        .error = {.code = ErrorCode::unavailable, .message = name_ + " " + what, .hint = "wait"}};
  }

  std::string name_;
  const Clock* clock_;
  std::shared_ptr<FakeSensor> sensor_;
  std::vector<Domain> domains_;
  Instant last_;
};

}  // namespace enprof::testing
