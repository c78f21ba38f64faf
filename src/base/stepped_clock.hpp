// A clock that stands still until somebody moves it.
#pragma once

#include "enprof/base/clock.hpp"

namespace enprof {

/// Who moves it, a test, knows by TimedCondition which threads wait for an instant of it: it can
/// wake those that are due, and wait until they have done what was due. Threads: any.
class SteppedClock : public Clock {
 public:
  /// A place where one thread at a time waits. Threads: any.
  class Waiter {
   public:
    /// Ends the wait if it is over by this clock. Takes no lock that is held while anything of the
    /// clock is called.
    virtual void look_again() noexcept = 0;

   protected:
    ~Waiter() = default;
  };

  /// A thread is at work that will wait there.
  virtual void set_working(Waiter& waiter) const = 0;
  virtual void set_waiting(Waiter& waiter, Instant until) const = 0;
  /// No thread waits there, nor will.
  virtual void forget(Waiter& waiter) const = 0;
};

}  // namespace enprof
