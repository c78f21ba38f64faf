// A thread for calls that may never return.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/base/units.hpp"

#include "base/start_thread.hpp"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace enprof {

/// Does one piece of work on a thread of its own. Whoever waits for it waits for a limited time,
/// and can then leave the thread behind: nothing can stop a thread that hangs in a driver, in a
/// name server's answer, on a file system of another machine, or in a listener of the user's.
///
/// The contract with the work, a callable that is moved to the thread:
/// - It owns all that it touches, or shares it (`shared_ptr`). Whatever else it refers to (a clock,
/// the
///   log, its owner) may be gone once it has been left behind; work that can come back late must
///   find out whether it was, from what it shares, before it touches such a thing.
/// - What it holds is destroyed on the thread, before the work counts as over: to close a file may
///   hang as well. Work that holds the last share of its own thread's owner is allowed.
/// - An exception ends the work, not the program. The log says so, unless the thread was left
/// behind.
///
/// A thread that was left behind ends when its work returns, or with the program. Its memory stays
/// until then, and no longer.
///
/// Threads: one at a time.
class AbandonableThread {
 public:
  /// Without work: nothing to wait for.
  AbandonableThread() = default;
  /// `which` names it in errors: "The thread that reads rapl". Errors: no_thread.
  template <class Work>
  [[nodiscard]] static Result<AbandonableThread> start(std::string_view which, Work work);

  AbandonableThread(AbandonableThread&&) noexcept = default;
  AbandonableThread& operator=(AbandonableThread&& other) noexcept;
  AbandonableThread(const AbandonableThread&) = delete;
  AbandonableThread& operator=(const AbandonableThread&) = delete;
  ~AbandonableThread();  ///< as abandon(), without waiting

  /// Waits until the work is over. False where it is not after that time: wait again, or abandon().
  [[nodiscard]] bool wait_for(Nanoseconds patience);
  /// The same without a limit, for an owner who knows that the work is at its end.
  void wait();
  /// Leaves the thread behind, unless its work is over. Nothing is waited for, now or later.
  void abandon() noexcept;

 private:
  /// Shared with the thread.
  class Ending {
   public:
    explicit Ending(std::string_view which) : which_(which) {}
    void report_exception(std::string_view what) noexcept;
    void set_over();
    [[nodiscard]] bool wait_until_over(Nanoseconds patience);
    /// False where the work is over.
    [[nodiscard]] bool abandon() noexcept;

   private:
    const std::string which_;
    std::mutex mutex_;
    std::condition_variable over_;
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
