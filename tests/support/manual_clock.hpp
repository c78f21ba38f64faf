// A clock that stands still until a test advances it.
#pragma once

#include "enprof/base/clock.hpp"

#include "base/sleeper.hpp"
#include "base/stepped_clock.hpp"
#include "support/wait_until.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace enprof::testing {

/// advance() moves it and wakes no thread: threads that wait on it see the time when they are
/// woken. pass() lets time pass as it really would, with all that threads do meanwhile, and with
/// the same result each time. Threads: any.
class ManualClock final : public SteppedClock {
 public:
  /// Does not begin at zero, so that an instant that was never set is noticed.
  explicit ManualClock(Nanoseconds start = std::chrono::hours{1}) : now_(start.count()) {}

  [[nodiscard]] Instant now() const noexcept override {
    return Instant{Nanoseconds{now_.load(std::memory_order_relaxed)}};
  }
  void advance(Nanoseconds duration) {
    now_.fetch_add(duration.count(), std::memory_order_relaxed);
  }

  /// Goes from each instant that a thread waits for to the next, and waits there until all threads
  /// that were due have done their work, one after the other, and wait again. Not from a thread
  /// that they wait for.
  void pass(Nanoseconds duration) {
    const Instant end = now() + duration;
    settle();
    for (auto next = earliest(); next && *next <= end; next = earliest()) {
      advance(*next - now());
      settle();
    }
    advance(end - now());
  }
  /// Lets all threads do what is due by now, and waits until they wait again.
  void settle() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wait(lock, "the threads that wait on this clock have done what was due", [this] {
        return std::ranges::all_of(waiters_,
                                   [](const auto& each) { return each.second.until.has_value(); });
      });
      const auto next = first();
      if (next == waiters_.end() || *next->second.until > now()) {
        return;
      }
      wake(*next);
    }
  }
  /// Waits until a thread waits for an instant that is not further away than this, moves there, and
  /// wakes it.
  void pass_when_awaited(Nanoseconds most) {
    std::unique_lock lock(mutex_);
    auto next = waiters_.end();
    wait(lock, "a thread waits on this clock", [&] {
      next = first();
      return next != waiters_.end() && *next->second.until <= now() + most;
    });
    advance(*next->second.until - now());
    wake(*next);
  }

  void set_working(Waiter& waiter) const override { set(waiter, std::nullopt); }
  void set_waiting(Waiter& waiter, Instant until) const override { set(waiter, until); }
  void forget(Waiter& waiter) const override {
    const std::lock_guard lock(mutex_);
    waiters_.erase(&waiter);
    changed_.notify_all();
  }

 private:
  struct State {
    std::uint64_t number = 0;      // in the order in which they came
    std::optional<Instant> until;  // empty: at work
  };
  using Waiters = std::map<Waiter*, State>;

  void set(Waiter& waiter, std::optional<Instant> until) const {
    const std::lock_guard lock(mutex_);
    const auto [place, is_new] = waiters_.try_emplace(&waiter);
    if (is_new) {
      place->second.number = ++count_;
    }
    place->second.until = until;
    changed_.notify_all();
  }
  [[nodiscard]] std::optional<Instant> earliest() const {
    const std::lock_guard lock(mutex_);
    const auto next = first();
    return next == waiters_.end() ? std::nullopt : next->second.until;
  }

  // With mutex_ held.
  [[nodiscard]] Waiters::iterator first() const {
    auto result = waiters_.end();
    for (auto each = waiters_.begin(); each != waiters_.end(); ++each) {
      const State& state = each->second;
      if (state.until && (result == waiters_.end() ||
                          std::pair(*state.until, state.number) <
                              std::pair(*result->second.until, result->second.number))) {
        result = each;
      }
    }
    return result;
  }
  static void wake(Waiters::value_type& waiter) {
    waiter.second.until.reset();
    waiter.first->look_again();
  }
  void wait(std::unique_lock<std::mutex>& lock, const std::string& what,
            const std::function<bool()>& condition) const {
    if (!changed_.wait_for(lock, kLongWait, condition)) {
      throw std::runtime_error("Waited for " + std::to_string(kLongWait.count()) +
                               " s, but it is not so: " + what);
    }
  }

  std::atomic<Nanoseconds::rep> now_;
  mutable std::mutex mutex_;  // of what follows
  mutable std::condition_variable changed_;
  mutable Waiters waiters_;
  mutable std::uint64_t count_ = 0;
};

/// Advances a clock instead of waiting. Threads: one.
class ManualSleeper final : public Sleeper {
 public:
  explicit ManualSleeper(ManualClock& clock) : clock_(clock) {}

  void sleep_until(Instant instant) const override {
    if (const Nanoseconds left = instant - clock_.now(); left > Nanoseconds{0}) {
      clock_.advance(left);
    }
  }

 private:
  ManualClock& clock_;
};

/// Lets a clock's time pass, with all that other threads do meanwhile. Threads: one, for which none
/// of the others waits.
class PassingSleeper final : public Sleeper {
 public:
  explicit PassingSleeper(ManualClock& clock) : clock_(clock) {}

  void sleep_until(Instant instant) const override {
    if (const Nanoseconds left = instant - clock_.now(); left > Nanoseconds{0}) {
      clock_.pass(left);
    }
  }

 private:
  ManualClock& clock_;
};

}  // namespace enprof::testing
