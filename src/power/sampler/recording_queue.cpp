#include "power/sampler/recording_queue.hpp"

#include "base/log.hpp"
#include "base/thread_setup.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <exception>
#include <filesystem>
#include <mutex>
#include <string>

namespace enprof {
namespace {

constexpr Logger kLog{"power"};

struct Batch {
  std::vector<EnergyWindow> windows;
  Instant origin;
};

}  // namespace

struct RecordingQueue::State {
  explicit State(std::filesystem::path name) : path(std::move(name)) {}

  /// Call with the mutex locked. True for the first failure, which is the one that is kept.
  bool fail(const Error& error) {
    batches.clear();
    if (failure) {
      return false;
    }
    failure = Failure{.at = last, .error = error};
    return true;
  }
  [[nodiscard]] Error stuck(const std::string& why) const {
    return {.code = ErrorCode::unavailable,
            .message = fmt::format("Cannot record power to {}: {}", path.string(), why),
            .hint =
                "The file's disk does not answer, or the pipe is not read. Use another file. "
                "The recording ends here."};
  }

  [[nodiscard]] Error no_memory(const std::exception& thrown) const noexcept {
    try {
      return stuck(thrown.what());
    } catch (const std::exception&) {
      return {.code = ErrorCode::too_large, .message = "Out of memory", .hint = {}};
    }
  }

  const std::filesystem::path path;
  std::mutex mutex;  // guards the members below; never held during a write
  std::condition_variable wake;
  std::vector<Batch> batches;
  std::size_t waiting = 0;  // windows in them and being written
  Instant last;             // the end of the last window that was added
  bool end_asked = false;
  std::optional<Failure> failure;
};

Result<std::unique_ptr<RecordingQueue>> RecordingQueue::open(
    std::unique_ptr<WindowRecorder> recorder, std::vector<Domain> domains) {
  auto state = std::make_shared<State>(recorder->path());
  auto thread = AbandonableThread::start(
      "The thread that records power",
      [state, recorder = std::move(recorder), domains = std::move(domains)] {
        set_up_sampling_thread("enprof-record");
        work(*state, *recorder, domains);
      });
  if (!thread) {
    return std::unexpected(std::move(thread.error()));
  }
  return std::unique_ptr<RecordingQueue>(new RecordingQueue(std::move(state), *std::move(thread)));
}

RecordingQueue::~RecordingQueue() { end(kPatience); }

void RecordingQueue::work(State& state, WindowRecorder& recorder,
                          const std::vector<Domain>& domains) {
  std::unique_lock lock(state.mutex);
  while (!state.failure) {
    state.wake.wait(lock, [&] { return state.end_asked || !state.batches.empty(); });
    if (state.batches.empty()) {
      return;
    }
    const std::vector<Batch> batches = std::exchange(state.batches, {});
    const std::size_t under_way = state.waiting;
    lock.unlock();
    Result<void> written;
    try {
      for (const Batch& batch : batches) {
        if (written) {
          written = recorder.write(domains, batch.windows, batch.origin);
        }
      }
    } catch (const std::exception& error) {  // out of memory, perhaps for this message too
      written = std::unexpected(state.no_memory(error));
    }
    lock.lock();
    state.waiting -= under_way;
    if (!written && state.fail(written.error())) {
      lock.unlock();
      kLog.error("{}", written.error().message);
      return;
    }
  }
}

std::optional<Error> RecordingQueue::add(std::span<const EnergyWindow> windows, Instant origin) {
  if (windows.empty()) {
    return std::nullopt;
  }
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (state.failure || state.end_asked) {
    return std::nullopt;
  }
  state.last = windows.back().end;
  state.waiting += windows.size();
  if (state.waiting > kCapacity) {
    Error error =
        state.stuck(fmt::format("it accepts no data, and {} sensor readings wait", state.waiting));
    state.fail(error);
    return error;
  }
  state.batches.push_back({.windows = {windows.begin(), windows.end()}, .origin = origin});
  state.wake.notify_one();
  return std::nullopt;
}

void RecordingQueue::end(Nanoseconds patience) {
  State& state = *state_;
  {
    const std::lock_guard lock(state.mutex);
    state.end_asked = true;
    state.wake.notify_one();
  }
  if (thread_.wait_for(patience)) {
    return;
  }
  const Error error = state.stuck(
      fmt::format("it did not accept the last windows within {:g} s", seconds(patience)));
  bool is_news = false;
  {
    const std::lock_guard lock(state.mutex);
    is_news = state.fail(error);
  }
  thread_.abandon();
  if (is_news) {
    kLog.error("{}", error.message);
  }
}

std::optional<RecordingQueue::Failure> RecordingQueue::failure() const {
  const std::lock_guard lock(state_->mutex);
  return state_->failure;
}

}  // namespace enprof
