// Windows on their way to a recording.
#pragma once

#include "enprof/base/error.hpp"
#include "enprof/model/domain.hpp"
#include "enprof/model/energy_window.hpp"

#include "base/abandonable_thread.hpp"
#include "power/sampler/window_recorder.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace enprof {

/// Writes windows on a thread of its own: a file may hang (a disk of another machine that does not
/// answer, a pipe that nobody reads), and whoever reads a sensor must not wait for it.
///
/// Threads: any thread may call add and failure; one calls end.
class RecordingQueue {
 public:
  /// What ended the recording before its time.
  struct Failure {
    Instant at;  ///< the end of the last window before it was noticed
    Error error;
  };

  /// `domains` are those that the windows index. Error: unavailable, where the system has no thread
  /// to give.
  [[nodiscard]] static Result<std::unique_ptr<RecordingQueue>> open(
      std::unique_ptr<WindowRecorder> recorder, std::vector<Domain> domains);
  RecordingQueue(const RecordingQueue&) = delete;
  RecordingQueue& operator=(const RecordingQueue&) = delete;
  ~RecordingQueue();  ///< ends it, with kPatience

  /// Hands windows over; see WindowRecorder::write. Never waits for the file, nor for the log:
  /// where more than kCapacity windows wait for the file, those that it is being given included,
  /// the recording has failed, which it returns once.
  [[nodiscard]] std::optional<Error> add(std::span<const EnergyWindow> windows, Instant origin);
  /// Waits until all is written and the file closed. Where that takes longer than `patience` the
  /// recording has failed, and its thread is left behind with the file.
  void end(Nanoseconds patience);
  [[nodiscard]] std::optional<Failure> failure() const;

  static constexpr Nanoseconds kPatience = std::chrono::seconds{2};
  /// Minutes of readings, a few megabytes.
  static constexpr std::size_t kCapacity = std::size_t{1} << 16U;

 private:
  struct State;
  RecordingQueue(std::shared_ptr<State> state, AbandonableThread thread)
      : state_(std::move(state)), thread_(std::move(thread)) {}
  static void work(State& state, WindowRecorder& recorder, const std::vector<Domain>& domains);

  std::shared_ptr<State> state_;  // the thread's too, which may be left behind
  AbandonableThread thread_;      // closes the file
};

}  // namespace enprof
