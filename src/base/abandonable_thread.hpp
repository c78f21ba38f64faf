// A thread for calls that may never return.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"

#include "base/start_thread.hpp"
#include "base/timed_condition.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace enprof {

/// Does one piece of work on a thread of its own. Its owner waits for the work for a limited time
/// and can then leave the thread behind: a thread that hangs in a driver, in a name server's
/// answer, on a network file system, or in a listener of the user's cannot be stopped.
///
/// The work is a callable that is moved to the thread. Its contract:
/// - It owns all that it accesses, or shares it (`shared_ptr`). Everything else (a clock, the log,
///   its owner) may be destroyed once the thread has been left behind. Work that may return late
///   must check, through what it shares, whether that happened before it accesses such a thing.
/// - What it holds is destroyed on the thread, before the work counts as finished: closing a file
///   may hang too. The work may hold the last share of its own thread's owner.
/// - An exception ends the work, not the program. It is logged, unless the thread was left behind.
///
/// A thread that was left behind ends when its work returns, or with the program. Its memory is
/// freed then.
///
/// Threads: one at a time.
class AbandonableThread {
 public:
  /// Has no work: every wait returns at once.
  AbandonableThread() = default;
  /// `which` names it in errors: "The thread that reads rapl". Errors: no_thread.
  template <class Work>
  [[nodiscard]] static Result<AbandonableThread> start(std::string_view which, Work work);

  AbandonableThread(AbandonableThread&&) noexcept = default;
  AbandonableThread& operator=(AbandonableThread&& other) noexcept;
  AbandonableThread(const AbandonableThread&) = delete;
  AbandonableThread& operator=(const AbandonableThread&) = delete;
  ~AbandonableThread();  ///< abandon(); does not wait

  /// Waits until the work is over. False where it is not after that time: wait again, or abandon().
  /// The time is that clock's: see TimedCondition.
  [[nodiscard]] bool wait_for(Nanoseconds patience, const Clock& clock = monotonic_clock());
  /// The same without a limit, for an owner who knows that the work is at its end.
  void wait();
  /// Leaves the thread behind, unless its work is finished. Does not wait, now or later.
  void abandon() noexcept;

 private:
  /// Shared with the thread.
  class Ending {
   public:
    explicit Ending(std::string_view which) : which_(which) {}
    void report_exception(std::string_view what) noexcept;
    void set_over();
    [[nodiscard]] bool wait_until_over(Nanoseconds patience, const Clock& clock);
    /// False where the work is over.
    [[nodiscard]] bool abandon() noexcept;

   private:
    const std::string which_;
    std::mutex mutex_;
    TimedCondition over_;
    bool is_over_ = false;
    bool is_abandoned_ = false;
  };

  AbandonableThread(std::shared_ptr<Ending> ending, std::thread thread)
      : ending_(std::move(ending)), thread_(std::move(thread)) {}

  std::shared_ptr<Ending> ending_;
  std::thread thread_;
};

template <class Work>
Result<AbandonableThread> AbandonableThread::start(std::string_view which, Work work) {
  auto ending = std::make_shared<Ending>(which);
  auto thread =
      start_thread(which, [ending, work = std::optional<Work>(std::move(work))]() mutable {
        try {
          (*work)();
        } catch (const std::exception& error) {
          ending->report_exception(error.what());
        } catch (...) {
          ending->report_exception("an exception of unknown type");
        }
        work.reset();
        ending->set_over();
      });
  if (!thread) {
    return std::unexpected(std::move(thread.error()));
  }
  return AbandonableThread(std::move(ending), *std::move(thread));
}

}  // namespace enprof
