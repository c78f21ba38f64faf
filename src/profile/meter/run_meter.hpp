// Computes the figures so far while a run goes on.
#pragma once

#include "enprof/model/event.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/periodic_thread.hpp"
#include "base/standstill_watch.hpp"
#include "base/thread_time.hpp"
#include "profile/assemble/run_assembler.hpp"
#include "profile/meter/figure_sum.hpp"
#include "profile/meter/run_slicer.hpp"
#include "record/pass_recorder.hpp"
#include "record/run_recorder.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace enprof {

/// Every period (less often if that would take more than 1 % of a CPU), on a thread of its own,
/// attributes the slice of the run that the sensors have reached, and publishes the energy of its
/// tokens and of layers, components and operations so far. It does not wait for a sensor that has
/// been silent for long. Records that do not fit into the rings are missing from these events, not
/// from the run. Threads: the run's thread calls everything; recorders push into spans() and
/// passes().
class RunMeter {
 public:
  /// Called on the meter's thread; must not throw.
  using Sink = std::function<void(Event)>;

  struct Options {
    Nanoseconds period = std::chrono::milliseconds{250};
    const Clock* clock = &monotonic_clock();  ///< the run's
    Depth depth = Depth::minimal;
    /// Called each time: whether operations are worth their cost now. Null means never.
    std::function<bool()> wants_operations;
    /// A sensor that is behind by more than this, and three of its periods, counts as silent.
    Nanoseconds patience = std::chrono::seconds{2};
    StandstillWatch* standstills = nullptr;  ///< null: the program never stands still
    /// What the calling thread has used, ever, by the same clock as the run's.
    std::function<Nanoseconds()> cpu_time = thread_cpu_time;
  };

  /// `monitor` may be null: then the events have only times.
  RunMeter(const PowerMonitor* monitor, Sink sink, Options options);
  RunMeter(const RunMeter&) = delete;
  RunMeter& operator=(const RunMeter&) = delete;

  [[nodiscard]] SpanRing* spans() { return &spans_; }
  [[nodiscard]] PassRing* passes() { return &passes_; }

  /// After the run's clock has started. `memory` is the pass recorder's, and outlives the meter's
  /// thread.
  void begin(std::string run_id, Instant begin, const PassRecordingView& memory);
  /// Makes a graph known, before its first pass ends. Allocates.
  void add_plan(std::uint32_t index, SharedPlan plan);
  /// Ends the thread; nothing is published after it.
  void stop();

 private:
  using LayerKey = std::pair<Phase, std::int32_t>;
  using ComponentKey = std::tuple<Phase, std::int32_t, std::string>;
  using OperationKey = std::tuple<Phase, std::string, std::string>;
  struct Sum {
    std::size_t count = 0;
    FigureSum figure;
  };

  void look();
  void read_records();
  void settle();
  /// The instant up to which every sensor that is not silent has given windows.
  [[nodiscard]] Instant known_until(const PowerEvidence& power, Instant now) const;
  /// `at` is since the run began.
  void publish(Nanoseconds at, EventData data);
  void publish_tokens(ProfiledRun& piece, Nanoseconds at);
  void publish_sums(const ProfiledRun& piece, Nanoseconds at);

  const PowerMonitor* monitor_;
  Sink sink_;
  Options options_;
  SpanRing spans_;
  PassRing passes_;
  std::string run_id_;
  Instant begin_;

  std::mutex mutex_;  // of the plans
  std::map<std::uint32_t, SharedPlan> plans_;

  // The meter's thread's own.
  RunSlicer slicer_;
  std::map<LayerKey, Sum> layers_;
  std::map<ComponentKey, Sum> components_;
  std::map<OperationKey, Sum> operations_;

  PeriodicThread thread_;
};

}  // namespace enprof
