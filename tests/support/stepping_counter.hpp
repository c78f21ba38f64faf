// A counter that steps by itself, with its clock and its sleeper.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "power/counter/counter_input.hpp"

#include <cstdint>
#include <random>
#include <vector>

namespace enprof::testing {

/// Each read takes a microsecond, each reading of the clock 30 ns; the counter's value is the
/// number of steps so far. Threads: one.
class SteppingCounter final : public CounterInput {
 public:
  explicit SteppingCounter(Nanoseconds period)
      : clock_(*this), sleeper_(*this), period_(period), next_(now_ + period / 3) {}

  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] const Sleeper& sleeper() const { return sleeper_; }
  [[nodiscard]] Nanoseconds period() const { return period_; }
  /// The true instant of the step to this value.
  [[nodiscard]] Instant stepped_at(std::uint64_t value) const { return steps_.at(value - 1); }

  void pass(Nanoseconds duration) { advance_to(now_ + duration); }
  void set_period(Nanoseconds period) { period_ = period; }
  /// The largest deviation of a step from its grid.
  void jitter(Nanoseconds most) { jitter_ = most; }
  /// How late a sleep ends.
  void wake_late(Nanoseconds least, Nanoseconds most) {
    late_least_ = least;
    late_most_ = most;
  }
  void stall(bool on) { stalls_ = on; }
  void fail(bool on) { fails_ = on; }
  void set_read_time(Nanoseconds duration) { read_time_ = duration; }

  [[nodiscard]] Result<std::uint64_t> read() override {
    pass(read_time_ / 2);
    const std::uint64_t value = shown_;
    pass(read_time_ / 2);
    if (fails_) {
      return fail_with();
    }
    return value;
  }

 private:
  class Time final : public Clock {
   public:
    explicit Time(SteppingCounter& counter) : counter_(&counter) {}
    [[nodiscard]] Instant now() const noexcept override {
      counter_->pass(Nanoseconds{30});
      return counter_->now_;
    }

   private:
    SteppingCounter* counter_;
  };
  class Sleep final : public Sleeper {
   public:
    explicit Sleep(SteppingCounter& counter) : counter_(&counter) {}
    void sleep_until(Instant instant) const override {
      if (instant > counter_->now_) {
        counter_->advance_to(instant +
                             counter_->random(counter_->late_least_, counter_->late_most_));
      }
    }

   private:
    SteppingCounter* counter_;
  };

  [[nodiscard]] static std::unexpected<Error> fail_with() {
    return enprof::fail(ErrorCode::io, "the counter cannot be read");
  }
  Nanoseconds random(Nanoseconds least, Nanoseconds most) {
    return Nanoseconds{std::uniform_int_distribution<Nanoseconds::rep>(
        least.count(), std::max(least, most).count())(random_)};
  }
  void advance_to(Instant instant) {
    while (next_ + offset_ <= instant) {
      steps_.push_back(next_ + offset_);
      next_ += period_;
      offset_ = random(-jitter_, jitter_);
      if (!stalls_) {
        shown_ = steps_.size();
      }
    }
    now_ = instant;
  }

  Time clock_;
  Sleep sleeper_;
  Instant now_{std::chrono::hours{1}};
  Nanoseconds period_;
  Instant next_;
  Nanoseconds offset_{0};
  Nanoseconds jitter_{0};
  Nanoseconds late_least_{0};
  Nanoseconds late_most_{0};
  Nanoseconds read_time_{std::chrono::microseconds{1}};
  bool stalls_ = false;
  bool fails_ = false;
  std::uint64_t shown_ = 0;
  std::vector<Instant> steps_;
  std::mt19937_64 random_{7};
};

}  // namespace enprof::testing
