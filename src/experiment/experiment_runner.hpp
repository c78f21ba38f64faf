// Measures the points of an experiment.
#pragma once

#include "enprof/base/clock.hpp"
#include "enprof/base/error.hpp"
#include "enprof/model/profiled_run.hpp"
#include "enprof/profile/inference_pipeline_profiler.hpp"
#include "enprof/store/profile_database.hpp"

#include "experiment/design.hpp"
#include "experiment/point_quality.hpp"
#include "session/model_keeper.hpp"
#include "session/run_session.hpp"
#include "session/session_power.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace enprof {

/// What was measured of a point.
struct PointResult {
  ExperimentPoint point{};
  std::vector<ProfiledRun> runs{};        ///< all of them, without their long lists
  bool is_precise = false;                ///< as narrow as the design asked for
  std::optional<Error> error{};           ///< why it could not be measured, or not any more
  std::optional<PointQuality> quality{};  ///< of its model's answers, where it was asked for
};

/// What an experiment spent its time on.
struct ExperimentTimes {
  Nanoseconds runs{0};         ///< that were kept
  Nanoseconds preparation{0};  ///< of them: loading, idle measurements
  Nanoseconds warm_ups{0};
  Nanoseconds all{0};

  /// What is left: attribution, saving, choosing what comes next.
  [[nodiscard]] Nanoseconds rest() const { return all - runs - preparation - warm_ups; }
};

struct ExperimentOutcome {
  std::vector<PointResult> points{};
  ExperimentTimes times{};
  bool interrupted = false;
  bool budget_spent = false;
};

/// Follows an experiment. Overrides only what it needs.
class ExperimentObserver {
 public:
  ExperimentObserver() = default;
  ExperimentObserver(const ExperimentObserver&) = delete;
  ExperimentObserver& operator=(const ExperimentObserver&) = delete;
  virtual ~ExperimentObserver() = default;

  /// A run is about to begin: `done` of at most `all`.
  virtual void on_run(const ExperimentPoint& /*point*/, int /*round*/, std::size_t /*done*/,
                      std::size_t /*all*/) {}
  /// A run was disturbed, or is unlike the point's others, and is done again.
  virtual void on_redo(const ExperimentPoint& /*point*/, const ProfiledRun& /*run*/) {}
  /// The point is not measured any more.
  virtual void on_failure(const ExperimentPoint& /*point*/, const Error& /*error*/) {}
};

/// In each round each point is measured once, in random order, so that drift concerns all points
/// alike. Idle power is measured before each round, and after a model was loaded. A point's first
/// run, and each after its model was loaded anew or the machine's limits were changed, follows
/// short ones that are not kept, until their speed and power stand still. A run that was disturbed,
/// or is unlike the point's others (outliers.hpp), is done again; it stays in the history and is in
/// no mean.
///
/// Threads: one.
class ExperimentRunner {
 public:
  /// How often a disturbed run is done again, for each point and round.
  static constexpr int kMostRedone = 2;
  /// Repeats before a point may count as precise.
  static constexpr std::size_t kLeastPrecise = 5;
  /// Warm-up runs: at most so many, and none begins after this time. They end when two after each
  /// other differ by less than kStandsStill in speed and in power.
  static constexpr int kMostWarmUps = 6;
  static constexpr Nanoseconds kLongestWarmUp = std::chrono::seconds{30};
  static constexpr double kStandsStill = 0.05;

  /// The limits of a point; 0: as the machine has it.
  struct Limits {
    int cpu_power = 0;      ///< W
    int gpu_power = 0;      ///< W
    int cpu_frequency = 0;  ///< MHz
    friend bool operator==(const Limits&, const Limits&) = default;
  };

  using SetLimits = std::function<Result<void>(const Limits&)>;

  struct Options {
    ProfileDatabase* store = nullptr;  ///< null: nothing is saved
    SessionPower* power = nullptr;     ///< null: power is not measured
    ModelKeeper* models = nullptr;     ///< required without `perform`; its settings are changed
    /// Makes runs instead of a session: for simulated machines. `is_kept`: it is no warm-up. What
    /// it returns is valid until the next call.
    std::function<RunOutcome(RunTask task, bool is_kept, const std::stop_token&)> perform{};
    ProfilerOptions profiler{};
    Depth depth = Depth::minimal;
    std::vector<std::string> tags{};     ///< of each run, beside those of its point
    std::vector<ProfiledRun> earlier{};  ///< of the same experiment: their rounds are not repeated
    /// The texts of the points' prompt files, by their names.
    std::map<std::string, Result<std::string>, std::less<>> prompts{};
    /// How good each model is, by its file; see PointResult::quality.
    std::map<std::string, Result<PointQuality>, std::less<>> qualities{};
    /// Sets the limits of the machine; null: it has none that can be set.
    SetLimits set_limits{};
    std::optional<Nanoseconds> budget{};  ///< no run begins later than that
    const Clock* clock = &monotonic_clock();
    SessionObserver* session_observer = nullptr;
    ExperimentObserver* observer = nullptr;
  };
  /// Everything passed must outlive the runner.
  explicit ExperimentRunner(Options options);

  [[nodiscard]] ExperimentOutcome run(const ExperimentDesign& design, const std::stop_token& stop);

 private:
  [[nodiscard]] std::set<int> rounds_done(const PointResult& result) const;
  [[nodiscard]] bool is_done(const PointResult& result, int round) const;
  [[nodiscard]] std::size_t runs_left(const ExperimentDesign& design) const;
  [[nodiscard]] RunTask task_of(const ExperimentDesign& design, const ExperimentPoint& point,
                                int round) const;
  void add_point(ExperimentPoint point);
  [[nodiscard]] bool set_limits(PointResult& result);
  [[nodiscard]] bool warm_up(const ExperimentDesign& design, PointResult& result,
                             const std::stop_token& stop);
  [[nodiscard]] bool run_until_steady(const ExperimentDesign& design, PointResult& result,
                                      const std::stop_token& stop);
  void measure(const ExperimentDesign& design, PointResult& result, int round,
               const std::stop_token& stop);
  [[nodiscard]] RunOutcome perform(RunTask task, bool is_kept, const std::stop_token& stop);
  void give_up(PointResult& result, const Error& error);

  /// Notes when runs begin, and passes everything on.
  class Timer final : public SessionObserver {
   public:
    explicit Timer(const Options& options)
        : clock_(*options.clock), next_(options.session_observer) {}
    void on_loading(const RunTask& task, double share) override;
    void on_load_end(const RunTask& task, const Result<void>& loaded) override;
    void on_begin(const RunTask& task, std::size_t most_output_tokens,
                  InferencePipelineProfiler& profiler, PowerMonitor* power) override;
    void on_trouble(const RunTask& task, const Warning& warning) override;
    [[nodiscard]] Instant begun() const { return begun_; }

   private:
    const Clock& clock_;
    SessionObserver* next_;
    Instant begun_;
  };

  Options options_;
  ExperimentObserver silent_;
  Timer timer_;
  RunSession session_;
  RunSession warming_;
  ExperimentOutcome outcome_;
  Limits limits_;                    // that are set
  std::string loaded_;               // the model and the settings that it was loaded with
  std::vector<std::string> warmed_;  // labels of points
  std::size_t done_ = 0;
};

/// Whether the mean of the point's energy per output token (else of its decode speed) has so narrow
/// a 95 % interval, relative to it.
[[nodiscard]] bool is_precise(const PointResult& result, double precision);

}  // namespace enprof
