// A queue of windows that a thread writes to a recording.
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

/// Writes windows on a thread of its own: a file may hang (a network disk that does not answer, a
/// pipe that is not read), and threads that read sensors must not wait for it.
///
/// Threads: any thread may call add and failure; one calls end.
class RecordingQueue {
 public:
  /// Why the recording ended early.
  struct Failure {
    Instant at;  ///< the end of the last window before the failure was noticed
    Error error;
  };

  /// `domains`: those that the windows' indices refer to. Error: unavailable if the system cannot
  /// start a thread.
  [[nodiscard]] static Result<std::unique_ptr<RecordingQueue>> open(
      std::unique_ptr<WindowRecorder> recorder, std::vector<Domain> domains);
  RecordingQueue(const RecordingQueue&) = delete;
  RecordingQueue& operator=(const RecordingQueue&) = delete;
  ~RecordingQueue();  ///< calls end(kPatience)

  /// Adds windows; see WindowRecorder::write. Never waits for the file or the log. If more than
  /// kCapacity windows wait for the file, including those that are being written, the recording has
  /// failed: the error is returned once.
  [[nodiscard]] std::optional<Error> add(std::span<const EnergyWindow> windows, Instant origin);
  /// Waits until everything is written and the file is closed. If that takes longer than
  /// `patience`, the recording has failed, and its thread is left behind with the file.
  void end(Nanoseconds patience);
  [[nodiscard]] std::optional<Failure> failure() const;

  static constexpr Nanoseconds kPatience = std::chrono::seconds{2};
  /// Enough for minutes of readings: a few megabytes.
  static constexpr std::size_t kCapacity = std::size_t{1} << 16U;

 private:
  struct State;
  RecordingQueue(std::shared_ptr<State> state, AbandonableThread thread)
      : state_(std::move(state)), thread_(std::move(thread)) {}
  static void work(State& state, WindowRecorder& recorder, const std::vector<Domain>& domains);

  std::shared_ptr<State> state_;  // shared with the thread, which may be left behind
  AbandonableThread thread_;      // closes the file
};

}  // namespace enprof
