// What a run's energy went into, told while the run goes on.
#pragma once

#include "enprof/model/event.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/power/power_monitor.hpp"

#include "base/periodic_thread.hpp"
#include "base/standstill_watch.hpp"
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

/// Every period (less often where that would take more than 1 % of a CPU), on a thread of its own,
/// attributes the slice of the run that the sensors have reached, and tells the energy of its
/// tokens and of layers, components and operations so far. A sensor that has been silent for long
/// is not waited for. Records that do not fit into the rings are missing from what is told, not
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
    /// Asked each time: whether operations are worth their cost now. Null: never.
    std::function<bool()> wants_operations;
    /// A sensor that is behind by more than this, or three of its periods, is taken for silent.
    Nanoseconds patience = std::chrono::seconds{2};
    StandstillWatch* standstills = nullptr;  ///< null: the program never stands still
  };

  /// `monitor` may be null: then only times are told.
  RunMeter(const PowerMonitor* monitor, Sink sink, Options options);
  RunMeter(const RunMeter&) = delete;
  RunMeter& operator=(const RunMeter&) = delete;

  [[nodiscard]] SpanRing* spans() { return &spans_; }
  [[nodiscard]] PassRing* passes() { return &passes_; }

  /// After the run's clock has started.
  void begin(std::string run_id, Instant begin);
  /// Makes a graph known, before its first pass ends. Allocates.
  void add_plan(std::uint32_t index, SharedPlan plan);
  /// Ends the thread; nothing is told after it.
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
  /// Up to when every sensor that still speaks has spoken.
  [[nodiscard]] Instant known_until(const std::vector<EnergyWindow>& windows, Instant now) const;
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
